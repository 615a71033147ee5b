"""Architectures: what turns the features of an encoder, or the image itself, into logits."""
