"""tk init, tk new, tk simulate and tk demo: how an experiment begins."""
