"""Assignment of images to folds: stratified, grouped, both."""
