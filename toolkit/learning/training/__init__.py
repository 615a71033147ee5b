"""Training: fit, fold, stage, step."""
