"""tk fit and tk lr-find."""
