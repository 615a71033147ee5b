"""Keys about training: losses, optimizers, schedules, augmentation, networks, stages."""
