"""Short trainings whose weights are not kept: over rising learning rates, and to measure the speed."""
