"""Scores, overlays and the classification table that several commands report."""
