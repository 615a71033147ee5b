"""Masks as arrays: labels, mask values, RLE, objects, morphology."""
