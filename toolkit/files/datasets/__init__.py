"""The data of a configuration, ready for training and prediction."""
