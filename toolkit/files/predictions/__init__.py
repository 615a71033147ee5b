"""Probability maps on disk."""
