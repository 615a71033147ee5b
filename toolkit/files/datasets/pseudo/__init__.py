"""Labels that networks made of unlabelled images: where they are, which of them a fold may learn from."""
