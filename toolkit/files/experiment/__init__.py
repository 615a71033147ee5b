"""The experiment folder and the files in it."""
