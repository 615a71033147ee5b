"""Recognises the content of a competition folder without a description."""
