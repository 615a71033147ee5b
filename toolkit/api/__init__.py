"""The commands from Python, see docs/python.md."""
