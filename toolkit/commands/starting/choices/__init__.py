"""The keys of a configuration for an unknown folder, each with its reason."""
