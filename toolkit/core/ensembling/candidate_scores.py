"""The scores of blends with given weights: many candidates in one pass over the images."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Floats, Labels, Mask, Objects
from toolkit.core.ensembling.means import Blender, Values, round_levels
from toolkit.core.metrics.metric import Metric, case_of
from toolkit.core.recipe.postprocess import masks_of
from toolkit.core.recipe.probabilities import Stored
from toolkit.core.recipe.recipe import Recipe

MemberWeights = tuple[int, ...]
"""The weight of each member, in whole numbers: only their ratios matter."""


def searched_folds(folds: int) -> list[Mask]:
    """The folds that each search looks at, `bool (folds,)`: all of them, and all but each one."""
    return [np.ones(folds, np.bool_), *(np.arange(folds) != fold for fold in range(folds))]


class CandidateScores:
    """Scores candidates on one image after the other."""

    def __init__(
        self, metric: Metric, blender: Blender, recipes: Sequence[Recipe], candidates: Sequence[MemberWeights]
    ) -> None:
        """Prepare to score candidates; `recipes` has one recipe for each entry of `searched_folds`."""
        self._metric, self._blender, self._recipes = metric, blender, recipes
        self._folds: list[int] = []
        distinct = dict.fromkeys(recipes)
        self._statistics: dict[MemberWeights, dict[Recipe, list[Floats]]] = {
            weights: {recipe: [] for recipe in distinct} for weights in candidates
        }

    def add(self, fold: int, maps: Sequence[Stored], labels: Labels, objects: Objects | None) -> None:
        """Add the maps of all members for one image, each (height, width, classes), with its truth."""
        values = [self._blender.values(stored) for stored in maps]
        self._folds.append(fold)
        activation = self._blender.activation
        for weights, by_recipe in self._statistics.items():
            levels = round_levels(self._blender.levels(_mean(values, weights)))
            for recipe, statistics in by_recipe.items():
                masks = masks_of(levels, activation, recipe)
                statistics.append(self._metric.measure(case_of(masks, labels, activation, objects)))

    def finish(self) -> dict[MemberWeights, tuple[float, ...]]:
        """The score of each candidate over each entry of `searched_folds`, when all images are added."""
        folds = np.array(self._folds)
        looked_at = [seen[folds] for seen in searched_folds(len(self._recipes) - 1)]
        return {
            weights: tuple(
                self._metric.score(np.stack(by_recipe[recipe])[images])
                for recipe, images in zip(self._recipes, looked_at, strict=True)
            )
            for weights, by_recipe in self._statistics.items()
        }


def levels_of_blend(blender: Blender, maps: Sequence[Stored], weights: MemberWeights) -> npt.NDArray[np.uint8]:
    """The blend of maps as it is stored, `uint8 (height, width, classes)`."""
    return round_levels(blender.levels(_mean([blender.values(stored) for stored in maps], weights)))


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
