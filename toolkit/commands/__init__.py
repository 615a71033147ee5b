"""One file per verb: read files, call functions, write one thing, return a value."""
