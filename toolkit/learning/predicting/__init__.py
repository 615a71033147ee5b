"""Prediction: tiles, views, means over folds, probability stores."""
