"""The only room that knows TensorFlow: networks, losses, batches, training, prediction."""
