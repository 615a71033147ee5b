"""Weighted means of the maps of several members: of probabilities, logits or votes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Floats, Probability
from toolkit.core.images.chunks import look_up
from toolkit.core.masks.labels import Activation
from toolkit.core.recipe.postprocess import masks_of
from toolkit.core.recipe.probabilities import Stored, StoredType

Mean = Literal["probability", "logit", "vote"]
"""What the weighted mean is taken of.

`probability`: the probabilities. `logit`: the logits, or the logarithms of the probabilities of exclusive classes;
confident members count more. `vote`: the masks at the untuned recipe, so that more than half of the weight decides.
"""

MEANS: tuple[Mean, ...] = get_args(Mean)

Values = npt.NDArray[np.float32]

_QUARTER = 0.25
"""Of a level: what keeps the logits of 0 and 255 finite, and is lost when the mean is rounded to levels again."""


@dataclass(frozen=True)
class Blender:
    """Weighted means of the maps of members."""

    mean: Mean = "probability"
    activation: Activation = "sigmoid"

    def values(self, stored: Stored) -> Values:
        """What is averaged of a map (height, width, classes): `float32` of the same shape."""
        if self.mean == "vote":
            return masks_of(stored, self.activation).astype(np.float32)
        if stored.dtype == np.uint8:
            return look_up(self._of_levels(np.arange(256, dtype=np.float32)), stored)
        return self._of_levels(_as_levels(stored))

    def levels(self, means: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        """Turn means of values, (…, classes), into levels 0–255 that are not rounded yet."""
        if self.mean == "probability":
            return means
        if self.mean == "vote":
            return means * 255
        if self.activation == "sigmoid":
            return np.asarray((255 + 2 * _QUARTER) / (1 + np.exp(-means)) - _QUARTER)
        shares = np.maximum(np.exp(means) - _QUARTER, 0)
        return np.asarray(255 * shares / np.maximum(shares.sum(axis=-1, keepdims=True), _QUARTER))

    def blend(self, maps: Mapping[int, Stored], weights: Sequence[float], stored_type: StoredType) -> Probability:
        """The blend of the maps of one image, `float32 (height, width, classes)`, 0–1.

        Args:
            maps: of one shape, by the number of the member; members that have none of this image are left out.
            weights: of all members; they need not add up to 1. What has no weight is as if it were not there.
            stored_type: how it will be kept; for `uint8` it is rounded to levels already, half a level down.

        Raises:
            ValueError: no member with a weight has a map.
        """
        weighted = {member: stored for member, stored in maps.items() if weights[member]}
        if not weighted:
            raise ValueError("no member with a weight has a map of this image")
        total: Floats = np.zeros(next(iter(weighted.values())).shape, np.float64)
        for member, stored in weighted.items():
            total += weights[member] * self.values(stored)
        levels = self.levels(total / sum(weights[member] for member in weighted))
        return (round_levels(levels) if stored_type == "uint8" else levels).astype(np.float32) / np.float32(255)

    def _of_levels(self, levels: npt.NDArray[np.float32]) -> Values:
        if self.mean == "probability":
            return levels
        chances = levels + np.float32(_QUARTER)
        return np.log(chances / (255 + 2 * _QUARTER - chances) if self.activation == "sigmoid" else chances)


def round_levels(levels: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
    """Whole levels, half a level down; what the order of a sum may change in its last digits does not matter."""
    rounded: npt.NDArray[np.uint8] = np.clip(np.ceil(np.round(levels - 0.5, 3)), 0, 255).astype(np.uint8)
    return rounded


def _as_levels(stored: Stored) -> npt.NDArray[np.float32]:
    return stored.astype(np.float32) * np.float32(1 if stored.dtype == np.uint8 else 255)
