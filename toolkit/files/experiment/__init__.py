"""The experiment folder and every file in it."""
