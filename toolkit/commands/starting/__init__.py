"""tk init, tk new and tk simulate: how an experiment begins."""
