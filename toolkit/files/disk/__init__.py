"""Atomic writes, tables, digests and locks."""
