"""Grids of candidate recipes with their scores, summed by fold, and the best recipe of several grids."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.core.arrays import Floats, Integers, Mask
from toolkit.core.metrics.area import PixelAccuracy, PooledMetric
from toolkit.core.metrics.metric import Metric, PairMetric
from toolkit.core.recipe.recipe import Recipe

EQUAL = 1e-12
"""Scores that differ by no more than this are equal but for rounding."""


@dataclass(frozen=True)
class SummedMetric:
    """A metric as a function of sums over images, so that any set of folds is scored without another pass.

    Pooled metrics are scored on the sums of their statistics. All others are means: a sum of scores and their count.
    """

    metric: Metric

    def contributions(self, statistics: Floats) -> Floats:
        """What images add, (…, k) to `float64 (…, m)`; `statistics` are those that the metric measures."""
        if isinstance(self.metric, PooledMetric | PixelAccuracy):
            return np.asarray(statistics, np.float64)
        flat = statistics.reshape(-1, statistics.shape[-1])
        values = self.metric.counted_pairs(flat) if isinstance(self.metric, PairMetric) else flat
        counted = ~np.isnan(values)
        sums = np.where(counted, values, 0).sum(axis=1)
        return np.stack([sums, counted.sum(axis=1)], axis=-1).reshape(*statistics.shape[:-1], 2)

    def by_fold(self, statistics: Floats, folds: Integers) -> Floats:
        """Contributions of the images of each fold, (images, k) to `float64 (folds, m)`."""
        columns = [np.bincount(folds, column, fold_count(folds)) for column in self.contributions(statistics).T]
        return np.stack(columns, axis=1)

    def score(self, totals: Floats) -> Floats:
        """The metric of summed contributions, (…, m) to `float64 (…)`; NaN where no image counts."""
        if isinstance(self.metric, PooledMetric | PixelAccuracy):
            return self.metric.per_image(totals.reshape(-1, totals.shape[-1])).reshape(totals.shape[:-1])
        counts = totals[..., 1]
        return np.where(counts == 0, np.nan, totals[..., 0] / np.maximum(counts, 1))

    def signed(self, totals: Floats) -> Floats:
        """The same with more being better; minus infinity where no image counts."""
        scores = self.score(totals)
        return np.where(np.isnan(scores), -np.inf, scores if self.metric.direction == "max" else -scores)


def fold_count(folds: Integers) -> int:
    """Number of folds, given the fold of each image; every number from 0 to the largest occurs."""
    return int(folds.max()) + 1


@dataclass(frozen=True, eq=False)
class Grid:
    """Candidate recipes with their scores.

    `totals` is `float64 (folds, …, m)`: contributions to a `SummedMetric`; the axes between are those of the grid.
    `distances` holds, for each of these axes, how far its values are from having no effect, in the order in which axes
    break ties. `recipe` makes the recipe of a position in the grid.
    """

    totals: Floats
    distances: tuple[Floats, ...]
    recipe: Callable[[tuple[int, ...]], Recipe]

    def first_of_second_axis(self) -> "Grid":
        """The same with the first value of the second axis alone, which has no effect."""
        return Grid(self.totals[:, :, :1], (self.distances[0], self.distances[1][:1]), self.recipe)


def best_recipe(grids: Sequence[Grid], folds: Mask, metric: SummedMetric) -> Recipe:
    """The best recipe of all grids over the images of some folds, `bool (folds,)`.

    Among equal ones it is that of the first grid, and there the one nearest to having no effect: a threshold nearest to
    0.5, the smallest minimum.
    """
    scores = [metric.signed(grid.totals[folds].sum(axis=0)) for grid in grids]
    highest = [float(found.max()) for found in scores]
    number = next(index for index, score in enumerate(highest) if score >= max(highest) - EQUAL)
    grid, found = grids[number], scores[number]
    equal = np.nonzero(found >= highest[number] - EQUAL)
    keys = [distances[positions] for distances, positions in zip(grid.distances, equal, strict=True)]
    first = np.lexsort(keys[::-1])[0]
    return grid.recipe(tuple(int(positions[first]) for positions in equal))
