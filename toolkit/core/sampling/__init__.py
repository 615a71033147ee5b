"""Sampling of training data: images of an epoch, patches, class weights."""
