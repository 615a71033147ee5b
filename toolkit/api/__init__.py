"""What is meant to be used from Python, see docs/python.md; it calls commands, as the command line does."""
