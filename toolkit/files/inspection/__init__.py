"""Whether data are sound: facts of each image, and what there is to say of them."""
