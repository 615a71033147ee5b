"""What tables hold: labels, samples, metadata, and how their runs are read."""
