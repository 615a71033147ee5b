"""Grids of recipes and their scores: what one step of the search chooses from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.core.arrays import Floats, Integers, Mask
from toolkit.core.metrics.area import PixelAccuracy, PooledMetric
from toolkit.core.metrics.metric import Metric, PairMetric
from toolkit.core.randomness import generator
from toolkit.core.recipe.recipe import Recipe

_FEWEST_BLOCKS = 3
_PARTS = 3


@dataclass(frozen=True, eq=False)
class Blocks:
    """The sets of images that are held out together in the search.

    `of_image` is the block of each image, `int64 (images,)`, `fold_of` the fold of each block, `int64 (blocks,)`.
    """

    of_image: Integers
    fold_of: Integers

    @property
    def count(self) -> int:
        """How many blocks there are."""
        return len(self.fold_of)

    @property
    def folds_count(self) -> int:
        """How many folds there are."""
        return int(self.fold_of.max()) + 1


def blocks_of(folds: Integers) -> Blocks:
    """Each fold is a block; fewer than three folds are cut in parts, so that the others are several blocks still.

    Args:
        folds: fold of each image, `int64 (images,)`; every number from 0 to the largest occurs.
    """
    count = int(folds.max()) + 1
    if count >= _FEWEST_BLOCKS:
        return Blocks(folds, np.arange(count))
    blocks = np.empty_like(folds)
    for fold in range(count):
        rows = np.flatnonzero(folds == fold)
        dealt = generator("blocks of the search", fold).permutation(len(rows)) % _PARTS
        blocks[rows] = fold * _PARTS + dealt
    return Blocks(blocks, np.repeat(np.arange(count), _PARTS))


@dataclass(frozen=True)
class Tally:
    """A metric as a function of sums over images.

    Pooled metrics are scored on the sums of their statistics, all others are means: of how much, and of how many.
    """

    metric: Metric

    def contributions(self, statistics: Floats) -> Floats:
        """What images add, (…, k) to `float64 (…, m)`; `statistics` are those that the metric measures."""
        if isinstance(self.metric, PooledMetric | PixelAccuracy):
            return np.asarray(statistics, np.float64)
        flat = statistics.reshape(-1, statistics.shape[-1])
        values = self.metric.taken(self.metric.pairs(flat)) if isinstance(self.metric, PairMetric) else flat
        counted = ~np.isnan(values)
        sums = np.where(counted, values, 0).sum(axis=1)
        return np.stack([sums, counted.sum(axis=1)], axis=-1).reshape(*statistics.shape[:-1], 2)

    def score(self, totals: Floats) -> Floats:
        """The metric of sums of contributions, (…, m) to `float64 (…)`; NaN where nothing counts."""
        if isinstance(self.metric, PooledMetric | PixelAccuracy):
            return self.metric.per_image(totals.reshape(-1, totals.shape[-1])).reshape(totals.shape[:-1])
        counts = totals[..., 1]
        return np.where(counts == 0, np.nan, totals[..., 0] / np.maximum(counts, 1))

    def worth(self, totals: Floats) -> Floats:
        """The same, with the sign that makes more the better one, and no score worse than any."""
        scores = self.score(totals)
        return np.where(np.isnan(scores), -np.inf, scores if self.metric.direction == "max" else -scores)


@dataclass(frozen=True, eq=False)
class Sweep:
    """A grid of recipes, with what the images of each block add to their scores.

    `totals` is `float64 (blocks, …, m)`, summed contributions of `Tally`; the axes between are those of the grid.
    `away` holds for each of them how far its values are from doing nothing, in the order in which axes break ties.
    `recipe` makes the recipe of a position in the grid.
    """

    totals: Floats
    away: tuple[Floats, ...]
    recipe: Callable[[tuple[int, ...]], Recipe]

    def without_minimums(self) -> "Sweep":
        """The first values of the second axis alone, those of doing nothing."""
        return Sweep(self.totals[:, :, :1], (self.away[0], self.away[1][:1]), self.recipe)

    def worth(self, blocks: Mask, tally: Tally) -> Floats:
        """How good each recipe of the grid is over the images of some blocks, `bool (blocks,)`: more is better."""
        return tally.worth(self.totals[blocks].sum(axis=0))


def best_recipe(sweeps: Sequence[Sweep], blocks: Mask, tally: Tally) -> Recipe:
    """The best recipe of all grids over the images of some blocks.

    Among equals it is that of the first grid, and there the one nearest to doing nothing, which asks for the least
    belief.
    """
    worths = [sweep.worth(blocks, tally) for sweep in sweeps]
    tops = [float(worth.max()) for worth in worths]
    number = next(index for index, top in enumerate(tops) if top >= max(tops) - 1e-12)
    sweep, worth = sweeps[number], worths[number]
    equals = np.nonzero(worth >= tops[number] - 1e-12)
    keys = [away[positions] for away, positions in zip(sweep.away, equals, strict=True)]
    first = np.lexsort(keys[::-1])[0]
    return sweep.recipe(tuple(int(positions[first]) for positions in equals))
