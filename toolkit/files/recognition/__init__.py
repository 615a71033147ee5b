"""What a folder holds that nobody has described."""
