"""Mask files, RLE tables and annotation files into labels."""
