"""The recipe: the one rule that turns a probability map into a mask, in validation, tuning and submission alike."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Mask
from toolkit.core.blend import Stored, to_probability
from toolkit.core.labels import Activation


@dataclass(frozen=True)
class Recipe:
    """Pixels above `threshold` are foreground; a mask of fewer than `minimum_area` pixels is emptied.

    `threshold` is a probability, 0 ≤ threshold < 1; `minimum_area` counts the pixels of the whole mask.
    """

    threshold: float = 0.5
    minimum_area: int = 0

    def __post_init__(self) -> None:
        """Refuse values that no mask can have."""
        if not 0 <= self.threshold < 1:
            raise ValueError(f"threshold must be at least 0 and below 1, received {self.threshold}")
        if self.minimum_area < 0:
            raise ValueError(f"minimum_area must be at least 0 pixels, received {self.minimum_area}")

    def describe(self) -> str:
        """The recipe in a few words."""
        area = f", minimum area {self.minimum_area}" if self.minimum_area else ""
        return f"threshold {self.threshold:.3f}{area}"

    def apply(self, stored: Stored) -> Mask:
        """Turn a kept map (`uint8` 0–255 or `float16` 0–1) of (height, width) into a `bool (height, width)` mask."""
        mask = to_probability(stored) > np.float64(self.threshold)
        return mask if mask.sum() >= self.minimum_area else np.zeros_like(mask)


IDENTITY = Recipe()
"""The untuned rule: above one half."""


def masks_of(stored: Stored, activation: Activation, recipe: Recipe = IDENTITY) -> npt.NDArray[np.bool_]:
    """Turn kept maps of several classes into one mask a class.

    Independent classes (sigmoid) each follow the recipe. Of exclusive ones (softmax) each pixel gets the most probable,
    the first of several that are equally so; 8-bit maps do have such ties.

    Args:
        stored: `uint8` 0–255 or `float16` 0–1, (height, width, classes).
        activation: which of the two.
        recipe: the identity for exclusive classes.

    Returns:
        `bool (height, width, classes)`.

    Raises:
        ValueError: another recipe for exclusive classes.
    """
    count = stored.shape[2]
    if activation == "sigmoid":
        return np.stack([recipe.apply(stored[..., index]) for index in range(count)], axis=-1)
    if recipe != IDENTITY:
        raise ValueError(f"exclusive classes take no threshold or minimum area, received {recipe.describe()}")
    masks: npt.NDArray[np.bool_] = stored.argmax(axis=-1)[..., None] == np.arange(count)
    return masks
