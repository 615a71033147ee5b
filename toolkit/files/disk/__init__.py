"""Atomic writes, tables, digests, locks, free space."""
