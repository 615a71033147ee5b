"""Configurations of other systems, translated: the rules are literal tables, one for each system."""
