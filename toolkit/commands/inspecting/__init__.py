"""tk data, tk preview and tk config: what the data look like, before and after augmentation, and the configuration."""
