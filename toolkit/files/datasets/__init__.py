"""A configuration's data as training and prediction read them."""
