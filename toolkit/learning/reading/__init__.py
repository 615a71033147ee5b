"""Reading samples: everything between files and batches. Nothing here imports TensorFlow."""
