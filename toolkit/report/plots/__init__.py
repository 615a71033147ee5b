"""Plots: learning curves, confusion matrix, scores over thresholds; drawn with Matplotlib."""
