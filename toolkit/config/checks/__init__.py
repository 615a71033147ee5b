"""Checks across keys of a configuration that has been read."""
