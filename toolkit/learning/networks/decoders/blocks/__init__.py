"""What decoders are assembled from: convolutions, attention, heads."""
