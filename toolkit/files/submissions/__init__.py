"""Submission files: written, read, checked, remembered."""
