"""tk data, tk preview, tk ls and tk config: what is there, before anything is trained."""
