"""Recipes: the rule from probabilities to masks, and its application."""
