"""Networks: architectures, encoders, weight files."""
