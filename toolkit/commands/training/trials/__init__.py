"""Trials of a search: their study, their experiments, when they end early, what they are worth."""
