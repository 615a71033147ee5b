"""The scores of blends with given weights: many candidates in one pass over the images."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Floats, Labels, Mask, Objects, Planes
from toolkit.core.ensembling.means import Blender, Values, round_levels
from toolkit.core.metrics.metric import Metric, case_of
from toolkit.core.recipe.postprocess import masks_of
from toolkit.core.recipe.probabilities import Stored

MemberWeights = tuple[int, ...]
"""The weight of each member, in whole numbers: only their ratios matter."""


def searched_folds(folds: int) -> list[Mask]:
    """The folds that each search looks at, `bool (folds,)`: all of them, and all but each one."""
    return [np.ones(folds, np.bool_), *(np.arange(folds) != fold for fold in range(folds))]


class CandidateScores:
    """Scores candidates at the untuned recipe, on one image after the other."""

    def __init__(self, metric: Metric, blender: Blender, folds: int, candidates: Sequence[MemberWeights]) -> None:
        """Prepare to score candidates; `folds` is the number of folds."""
        self._metric, self._blender, self._folds_count = metric, blender, folds
        self._folds: list[int] = []
        self._statistics: dict[MemberWeights, list[Floats]] = {weights: [] for weights in candidates}

    def add(self, fold: int, maps: Sequence[Stored], labels: Labels, objects: Objects | None) -> None:
        """Add the maps of all members for one image, each (height, width, classes), with its truth."""
        values = [self._blender.values(stored) for stored in maps]
        self._folds.append(fold)
        for weights, statistics in self._statistics.items():
            masks = _masks(self._blender, _mean(values, weights))
            statistics.append(self._metric.measure(case_of(masks, labels, self._blender.activation, objects)))

    def finish(self) -> dict[MemberWeights, tuple[float, ...]]:
        """The score of each candidate over each entry of `searched_folds`, when all images are added."""
        folds = np.array(self._folds)
        looked_at = [seen[folds] for seen in searched_folds(self._folds_count)]
        found = {}
        for weights, rows in self._statistics.items():
            statistics = np.stack(rows)
            found[weights] = tuple(self._metric.score(statistics[images]) for images in looked_at)
        return found


def masks_of_blend(blender: Blender, maps: Sequence[Stored], weights: MemberWeights) -> Planes:
    """The masks of a blend at the untuned recipe, `bool (height, width, classes)`."""
    return _masks(blender, _mean([blender.values(stored) for stored in maps], weights))


def _masks(blender: Blender, means: npt.NDArray[np.floating]) -> Planes:
    return masks_of(round_levels(blender.levels(means)), blender.activation)


def _mean(values: Sequence[Values], weights: MemberWeights) -> Values:
    """The weighted mean of `float32` arrays of one shape.

    Sums of levels in whole weights are exact in single precision: ties are rounded alike, whatever the order.
    """
    weighted = [np.float32(weight) * value for value, weight in zip(values, weights, strict=True) if weight]
    total = weighted[0]
    for summand in weighted[1:]:
        total += summand
    total /= np.float32(sum(weights))
    return total
