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
"""Probability of each class to occur in an image at all, `float32 (classes,)`, 0–1: what an emptiness head says."""

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
