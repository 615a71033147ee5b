"""What config.yaml may say: typed models, loading, inheritance, overrides, errors that name the line."""
