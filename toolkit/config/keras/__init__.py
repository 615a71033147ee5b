"""The arguments of the losses and metrics of tf.keras that config.yaml may name."""
