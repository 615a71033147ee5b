"""Disk: experiment folders, data, predictions, submissions, all written atomically."""
