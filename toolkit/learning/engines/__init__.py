"""What computes networks in prediction: TensorFlow, or OpenVINO with converted networks."""
