"""Reading image files of every kind as arrays."""
