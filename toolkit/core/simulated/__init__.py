"""Simulated images with exactly known masks."""
