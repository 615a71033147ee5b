"""Images as arrays: value range, resizing, windows, tiles, views, duplicates."""
