"""What tk plan measures and remembers of the speed of experiments."""
