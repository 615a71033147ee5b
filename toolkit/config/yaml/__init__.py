"""YAML files, the kinds of values they hold, and messages about what is wrong in them."""
