"""The sections of the page: one module each, a function from the values of an experiment to a section."""
