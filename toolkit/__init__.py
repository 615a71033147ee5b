"""Train folds, ensemble, tune and submit: image-segmentation competitions from one YAML file."""
