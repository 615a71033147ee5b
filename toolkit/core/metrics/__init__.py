"""Metrics per image, pooled and by object; reports and intervals."""
