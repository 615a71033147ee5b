"""tk predict: new images into probabilities, masks and pictures."""
