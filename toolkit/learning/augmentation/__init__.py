"""Augmentation of training images and batches."""
