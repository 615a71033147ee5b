"""Label maps: one number a pixel for its class, and one plane a class where networks and metrics want them."""

from typing import Literal

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.uint8]
"""`uint8 (height, width)`: the class of each pixel, or `VOID`.

With exclusive classes (softmax) 0 … classes-1, where 0 is what counts as background; with independent ones (sigmoid) 0
is background and k is class k-1, so that a single class has the labels 0 and 1.
"""

Activation = Literal["sigmoid", "softmax"]

VOID = 255
"""The label of pixels that neither loss nor metric looks at."""


def planes(labels: Labels, classes: int, activation: Activation) -> npt.NDArray[np.uint8]:
    """One plane a class, `uint8 (height, width, classes)`: 1 where the pixel is of it, 0 elsewhere, VOID where void."""
    first = 0 if activation == "softmax" else 1
    result: npt.NDArray[np.uint8] = (labels[..., None] == np.arange(first, first + classes, dtype=np.uint8)).astype(
        np.uint8
    )
    result[labels == VOID] = VOID
    return result


def has_foreground(labels: Labels) -> bool:
    """Whether any pixel is neither background nor void."""
    return bool(((labels > 0) & (labels != VOID)).any())
