"""tk data and tk preview: what the data look like, before and after augmentation."""
