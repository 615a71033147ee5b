"""Predictions of some of the images each, on several machines, and the one store or folder that they become."""
