"""Thresholds with minimum object sizes for metrics of objects: these are matched once for each threshold."""

import numpy as np

from toolkit.core.arrays import Floats, Integers
from toolkit.core.masks.labels import IGNORE
from toolkit.core.masks.objects import components
from toolkit.core.metrics.instance import matches_above
from toolkit.core.recipe.postprocess import above
from toolkit.core.recipe.recipe import ClassRecipe, Recipe
from toolkit.core.tuning.area_histograms import recipe_of
from toolkit.core.tuning.candidates import TRIED_THRESHOLDS
from toolkit.core.tuning.grids import Grid, SummedMetric, fold_count
from toolkit.core.tuning.recipe_scores import RecipeScores


def object_size_grid(scores: RecipeScores, folds: Integers, minimum_sizes: Integers) -> Grid:
    """Every tried threshold with every minimum object size.

    Args:
        scores: of a single class.
        folds: fold of each image, `int64 (images,)`.
        minimum_sizes: in pixels, ascending from 0, `int64 (sizes,)`.
    """
    metric = SummedMetric(scores.metric)
    totals: Floats | None = None
    for example in scores.examples("matching objects"):
        truth, valid = example.labels == 1, example.labels != IGNORE
        known = components(truth) if example.objects is None else np.where(truth, example.objects, 0)
        counts = []
        for threshold in TRIED_THRESHOLDS:
            objects = components(above(example.stored[..., 0], threshold))
            sizes = np.bincount(objects.ravel())
            seen = objects if valid.all() else np.where(valid, objects, np.int32(0))
            counts.append(matches_above(seen, known.astype(np.int32, copy=False), sizes, minimum_sizes))
        found = metric.contributions(np.array(counts, np.float64))
        if totals is None:
            totals = np.zeros((fold_count(folds), *found.shape))
        totals[folds[example.position]] += found
    if totals is None:
        raise ValueError("there are no images")

    def recipe(position: tuple[int, ...]) -> Recipe:
        threshold, size = position
        return recipe_of(ClassRecipe(TRIED_THRESHOLDS[threshold], minimum_object_size=int(minimum_sizes[size])))

    distances = np.abs(np.array(TRIED_THRESHOLDS) - ClassRecipe().threshold)
    return Grid(totals, (distances, np.arange(len(minimum_sizes), dtype=np.float64)), recipe)
