"""Keys about data: sources, classes, competitions, folds, tiles."""
