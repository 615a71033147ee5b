"""Weighted means of predictions and the search for weights."""
