"""Checks of the data: facts of each image, and the findings that follow from them."""
