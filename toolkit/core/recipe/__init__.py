"""Recipes: rules from probabilities to masks, and their application."""
