"""The means by which the maps of several members become one: of probabilities, logits, ranks, or votes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Floats, Integers, Probability
from toolkit.core.images.chunks import count_values, look_up
from toolkit.core.masks.labels import Activation
from toolkit.core.recipe.postprocess import masks_of
from toolkit.core.recipe.probabilities import Stored, StoredType, to_levels

Mean = Literal["probability", "logit", "rank", "vote"]
"""Of what the weighted mean is taken.

`probability`: of the probabilities. `logit`: of the logits, with exclusive classes of the logarithms of the
probabilities; who is very sure counts more. `rank`: of each pixel's rank among all pixels of the member, so that
members whose probabilities are spread differently count alike; the mean rank is brought back to a probability by the
ranks of all members together. `vote`: of the masks at the untuned recipe, so that more than half of the weight decides.
"""

MEANS: tuple[Mean, ...] = get_args(Mean)

Values = npt.NDArray[np.float32]

_QUARTER = 0.25
"""Of a level: what keeps the logits of 0 and 255 finite, and is lost when the mean is rounded to levels again."""


@dataclass(frozen=True, eq=False)
class Blender:
    """Weighted means of maps of a kind; `counts` are what `rank` asks for, see `count_levels`."""

    mean: Mean = "probability"
    activation: Activation = "sigmoid"
    counts: Integers | None = None

    def values(self, member: int, stored: Stored) -> Values:
        """What is averaged, for the map of one member (height, width, classes): `float32` of the same shape."""
        if self.mean == "vote":
            return masks_of(stored, self.activation).astype(np.float32)
        if self.mean == "rank" or stored.dtype == np.uint8:
            classes = stored.shape[-1]
            table = self.table(member, classes)
            if stored.dtype == np.uint8:
                return np.stack([look_up(table[index], stored[..., index]) for index in range(classes)], axis=-1)
            levels = _as_levels(stored)
            ranks = [np.interp(levels[..., index], np.arange(256), table[index]) for index in range(classes)]
            return np.stack(ranks, axis=-1).astype(np.float32)
        return self._of_levels(_as_levels(stored))

    def table(self, member: int, classes: int) -> Values:
        """The value of each level of 8-bit maps, `float32 (classes, 256)`; a vote is that of independent classes."""
        levels = np.arange(256, dtype=np.float32)
        if self.mean == "rank":
            return np.stack([_ranks(counts) for counts in self._counts[member]]).astype(np.float32)
        values = (levels > 127.5).astype(np.float32) if self.mean == "vote" else self._of_levels(levels)
        return np.broadcast_to(values, (classes, 256))

    def levels(self, means: npt.NDArray[np.floating], weights: Sequence[float]) -> npt.NDArray[np.floating]:
        """Turn means of values, (…, classes), into levels 0–255 that are not rounded yet.

        `weights` are those of all members, which matter to ranks alone.
        """
        if self.mean == "probability":
            return means
        if self.mean == "vote":
            return means * 255
        if self.mean == "rank":
            pooled = _pooled(self._counts, weights)
            return np.stack([_level_of_rank(means[..., index], counts) for index, counts in enumerate(pooled)], axis=-1)
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
            total += weights[member] * self.values(member, stored)
        given = [weight if member in weighted else 0 for member, weight in enumerate(weights)]
        levels = self.levels(total / sum(given), given)
        return (round_levels(levels) if stored_type == "uint8" else levels).astype(np.float32) / np.float32(255)

    @property
    def _counts(self) -> Integers:
        if self.counts is None:
            raise ValueError("a mean of ranks needs the counts of the levels")
        return self.counts

    def _of_levels(self, levels: npt.NDArray[np.float32]) -> Values:
        if self.mean == "probability":
            return levels
        chances = levels + np.float32(_QUARTER)
        return np.log(chances / (255 + 2 * _QUARTER - chances) if self.activation == "sigmoid" else chances)


def round_levels(levels: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
    """Whole levels, half a level down; what the order of a sum may change in its last digits does not matter."""
    rounded: npt.NDArray[np.uint8] = np.clip(np.ceil(np.round(levels - 0.5, 3)), 0, 255).astype(np.uint8)
    return rounded


def count_levels(stored: Stored) -> Integers:
    """How many pixels of one map have each level, `int64 (classes, 256)`."""
    levels = to_levels(stored)
    return np.stack([count_values(levels[..., index], 256) for index in range(levels.shape[-1])])


def _as_levels(stored: Stored) -> npt.NDArray[np.float32]:
    return stored.astype(np.float32) * np.float32(1 if stored.dtype == np.uint8 else 255)


def _ranks(counts: npt.NDArray[np.number]) -> Floats:
    """The mean rank of the pixels of each level, 0–1, `float64 (256,)`."""
    return np.asarray((np.cumsum(counts) - counts / 2) / max(float(counts.sum()), 1), np.float64)


def _pooled(counts: Integers, weights: Sequence[float]) -> Floats:
    """Shares of the levels over all members by their weight, `float64 (classes, 256)`."""
    shares = counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1)
    return np.asarray(np.tensordot(np.asarray(weights, np.float64) / sum(weights), shares, 1), np.float64)


def _level_of_rank(ranks: npt.NDArray[np.floating], shares: Floats) -> Floats:
    """The inverse of `_ranks`, linear between the levels that occur."""
    occurring = np.flatnonzero(shares)
    return np.asarray(np.interp(ranks, _ranks(shares)[occurring], occurring), np.float64)
