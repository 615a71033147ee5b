"""Image files of every kind into arrays."""
