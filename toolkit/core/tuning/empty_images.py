"""Rules that leave a whole image empty (triplets, emptiness scores), at all thresholds at once, from histograms."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Floats, Integers
from toolkit.core.recipe.recipe import ClassRecipe, Emptiness, Recipe, Triplet
from toolkit.core.tuning.area_histograms import (
    FROM_UNTUNED,
    IMAGES_AT_ONCE,
    THRESHOLDS,
    UNTUNED,
    AreasByThreshold,
    candidate_areas,
    recipe_of,
)
from toolkit.core.tuning.grids import Grid, SummedMetric, fold_count

_BOTTOMS = slice(UNTUNED % 3, None, 3)
_TOPS = slice(UNTUNED % 8, None, 8)
_TOP_AREAS = 20
_EMPTINESS = (np.arange(1, 65) - 0.5) / 64
_TOP_PIXELS = (16, 64, 256, 1024, 4096)

Gates = npt.NDArray[np.bool_]
"""`bool (images, …)`: whether an image keeps its mask under each of several conditions."""


def triplet_grid(areas: AreasByThreshold, folds: Integers, metric: SummedMetric) -> Grid:
    """Thresholds with top thresholds and the areas that must exceed them: 85 × 32 × up to 20 triplets."""
    bottoms, minimum_areas, tops = triplet_values(areas)

    def gates(part: Integers) -> Gates:
        return np.asarray(areas.sizes[part][:, None, tops] >= minimum_areas[:, None])

    def recipe(position: tuple[int, ...]) -> Recipe:
        bottom, minimum, top = position
        triplet = Triplet(float(THRESHOLDS[tops[top]]), int(minimum_areas[minimum]))
        return recipe_of(ClassRecipe(float(THRESHOLDS[bottoms[bottom]]), triplet=triplet))

    shape = (len(minimum_areas), len(tops))
    away = (FROM_UNTUNED[bottoms], np.arange(shape[0], dtype=np.float64), FROM_UNTUNED[tops])
    return Grid(_gated(areas, folds, metric, gates, shape), away, recipe)


def triplet_values(areas: AreasByThreshold) -> tuple[Integers, Integers, Integers]:
    """What triplets are made of: bottom thresholds, areas in pixels, top thresholds; thresholds by their index."""
    minimum_areas = candidate_areas(areas.truth, _TOP_AREAS)[1:]
    if not len(minimum_areas):
        minimum_areas = np.ones(1, np.int64)
    return np.arange(255)[_BOTTOMS], minimum_areas, np.arange(255)[_TOPS]


def emptiness_grids(
    areas: AreasByThreshold, folds: Integers, metric: SummedMetric, presence: Floats | None = None
) -> list[Grid]:
    """Thresholds with emptiness scores and 64 thresholds of theirs, one grid a score.

    Args:
        areas: of all images.
        folds: fold of each image, `int64 (images,)`.
        metric: what is scored.
        presence: output of the presence head for each image, `float64 (images,)`, if there is one.
    """
    pixels = [count for count in _TOP_PIXELS if count <= np.median(areas.whole)]
    scores = [(Emptiness("maximum", 0.0), mean_of_top(areas, 1))]
    scores += [(Emptiness("mean_of_top", 0.0, count), mean_of_top(areas, count)) for count in pixels]
    if presence is not None:
        scores.insert(0, (Emptiness("head", 0.0), presence))
    return [_emptiness_grid(areas, folds, metric, *score) for score in scores]


def mean_of_top(areas: AreasByThreshold, count: int) -> Floats:
    """The mean of the `count` largest probabilities of each image, `float64 (images,)`; of all if it has fewer.

    Each level that a pixel reaches adds 1/255. The number of the largest pixels that reach a level is the area above
    the threshold just below it, at most `count`.
    """
    taken = np.minimum(count, areas.whole)
    return np.asarray(np.minimum(areas.sizes, taken[:, None]).sum(axis=1) / (255 * taken))


def _emptiness_grid(
    areas: AreasByThreshold, folds: Integers, metric: SummedMetric, emptiness: Emptiness, scores: Floats
) -> Grid:
    bottoms = np.arange(255)[_BOTTOMS]

    def gates(part: Integers) -> Gates:
        return np.asarray(scores[part][:, None] > _EMPTINESS)

    def recipe(position: tuple[int, ...]) -> Recipe:
        bottom, threshold = position
        rule = Emptiness(emptiness.score, float(_EMPTINESS[threshold]), emptiness.pixels)
        return recipe_of(ClassRecipe(float(THRESHOLDS[bottoms[bottom]]), emptiness=rule))

    totals = _gated(areas, folds, metric, gates, _EMPTINESS.shape)
    return Grid(totals, (FROM_UNTUNED[bottoms], np.arange(len(_EMPTINESS), dtype=np.float64)), recipe)


def _gated(
    areas: AreasByThreshold,
    folds: Integers,
    metric: SummedMetric,
    gates: Callable[[Integers], Gates],
    shape: Sequence[int],
) -> Floats:
    """Totals of every bottom threshold under every condition, `float64 (folds, bottoms, *shape, m)`.

    An image adds its score where it passes the condition, and the score of an empty mask elsewhere: one matrix product
    for a few hundred images.
    """
    totals = []
    for fold in range(fold_count(folds)):
        rows = np.flatnonzero(folds == fold)
        parts = [rows[start : start + IMAGES_AT_ONCE] for start in range(0, max(len(rows), 1), IMAGES_AT_ONCE)]
        total: Floats | float = 0.0
        for part in parts:
            found, emptied = (metric.contributions(each) for each in areas.statistics(part, _BOTTOMS))
            # A fold may have no images: reshape cannot infer a number of columns from an empty array.
            passed = gates(part).reshape(len(part), math.prod(shape)).astype(np.float64)
            gained = (found - emptied[:, None]).reshape(len(part), math.prod(found.shape[1:])).T @ passed
            gained = gained.reshape(*found.shape[1:], *shape)
            total = total + np.moveaxis(gained, 1, -1) + emptied.sum(axis=0)
        totals.append(total)
    return np.stack(totals)
