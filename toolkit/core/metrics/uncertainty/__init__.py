"""How far a score may be off: by the chance of the images, and by the choice of the epoch."""
