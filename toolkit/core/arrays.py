"""Names for the arrays that everything here takes and returns."""

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
"""`uint8 (height, width, channels)`."""

Mask = npt.NDArray[np.bool_]
"""`bool (height, width)`."""

Probability = npt.NDArray[np.float32]
"""Probability of foreground, 0–1."""

Presence = npt.NDArray[np.float32]
"""Probability of each class to occur in an image at all, `float32 (classes,)`, 0–1: what a presence head says."""

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


Planes = npt.NDArray[np.bool_]
"""`bool (height, width, classes)`: one mask a class."""


Objects = npt.NDArray[np.int32]
"""`int32 (height, width)`: the number of the object that a pixel belongs to, 0 for none."""


Labels = npt.NDArray[np.uint8]
"""`uint8 (height, width)`: the class of each pixel, or `IGNORE`.

With exclusive classes (softmax) 0 … classes-1, where 0 is what counts as background. With independent ones (sigmoid) 0
is background and each class is one bit, so that a pixel may be of several, and a single class has the labels 0 and 1;
of more than `BITS` classes a pixel is of one at most, and k is class k-1.
"""
