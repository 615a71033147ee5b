"""Keys about training: stages, losses, optimizers, schedules, augmentation, networks."""
