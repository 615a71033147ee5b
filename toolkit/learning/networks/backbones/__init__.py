"""Encoders: where their layers and weights come from, and how they are fitted to an input."""
