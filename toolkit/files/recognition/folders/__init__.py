"""What folders of images hold: files, channels, ids, and their roles."""
