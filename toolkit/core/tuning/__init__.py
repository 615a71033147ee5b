"""The search for a recipe on out-of-fold predictions."""
