"""Trained networks as files of other programs, and the same files run again to compare them."""
