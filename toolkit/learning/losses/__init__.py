"""Losses, and how target and logits reach them."""
