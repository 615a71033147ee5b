"""tk compare and tk evaluate: where experiments differ, and where one of them fails."""
