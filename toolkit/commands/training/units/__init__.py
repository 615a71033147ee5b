"""Folds and stages as units of work for several machines."""
