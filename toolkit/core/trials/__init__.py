"""What is tried before a training: learning rates, and how long the training takes."""
