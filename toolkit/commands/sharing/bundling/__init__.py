"""The parts of a bundle: experiments, the wheel of this package and others, and what Kaggle reads."""
