"""Submission files: writing, reading and checking them, and the log of submissions."""
