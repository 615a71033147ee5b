"""tk tune: thresholds and post-processing, chosen on out-of-fold predictions."""
