"""The processes that run units on nodes."""
