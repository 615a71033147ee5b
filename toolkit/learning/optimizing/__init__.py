"""Optimizers, learning-rate schedules, callbacks, weight averages."""
