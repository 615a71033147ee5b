"""Class weights that give rare classes as much weight as frequent ones."""

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Integers


def balanced_class_weights(pixel_counts: Integers) -> npt.NDArray[np.float64]:
    """Inverse frequency of each class, `float64 (classes,)`, with mean 1 over the classes that occur.

    A class without pixels gets the mean, 1: it must neither take weight from the others nor vanish from losses that
    also learn where a class is absent.

    Args:
        pixel_counts: pixels of each class over all training images, `int64 (classes,)`.

    Raises:
        ValueError: a count is negative.
    """
    counts = np.asarray(pixel_counts)
    if (counts < 0).any():
        raise ValueError(f"expected counts from 0 up, received {counts.tolist()}")
    weights = np.ones(len(counts))
    occurs = counts > 0
    if occurs.any():
        inverse = 1.0 / counts[occurs]
        weights[occurs] = inverse / inverse.mean()
    return weights
