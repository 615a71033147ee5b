"""Types of the arrays that functions of `core` take and return."""

import numpy as np
import numpy.typing as npt

Size = tuple[int, int]
"""(height, width), in pixels."""

Colour = tuple[int, int, int]
"""(red, green, blue)."""

Image = npt.NDArray[np.uint8]
"""`uint8 (height, width, channels)`."""

Mask = npt.NDArray[np.bool_]
"""`bool (height, width)`."""

Probability = npt.NDArray[np.float32]
"""`float32` of any shape: probability of foreground, 0–1."""

Presence = npt.NDArray[np.float32]
"""`float32 (classes,)`: output of a presence head, the probability that each class occurs in the image, 0–1."""

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

Planes = npt.NDArray[np.bool_]
"""`bool (height, width, classes)`: one mask for each class."""

Objects = npt.NDArray[np.int32]
"""`int32 (height, width)`: the number of the object that each pixel belongs to, 0 for background."""

Labels = npt.NDArray[np.uint8]
"""`uint8 (height, width)`: the class of each pixel, or `IGNORE` (255).

Exclusive classes (softmax) have the labels 0 … classes-1; the first one is the background. For independent classes
(sigmoid), 0 is background and each class is one bit, so that a pixel may belong to several; a single class has the
labels 0 and 1. More than `BITS` independent classes cannot share pixels: label k stands for class k-1.
"""
