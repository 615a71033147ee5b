"""The configuration of experiments and ensembles: models, loading, checks."""
