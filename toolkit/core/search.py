"""The search for the recipe: all thresholds and minimum areas at once, from histograms, scored honestly."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Floats, Integers, Mask
from toolkit.core.blend import Stored, to_levels
from toolkit.core.metrics import Metric
from toolkit.core.postprocess import IDENTITY, Recipe

THRESHOLDS: Floats = (np.arange(1, 256) - 0.5) / 255
"""All 255 thresholds that an 8-bit map can tell apart; entry 127 is 0.5."""

_UNTUNED = 127
_IMAGES_AT_ONCE = 256


@dataclass(frozen=True)
class AreasByThreshold:
    """Per image, the areas at all 255 thresholds: all that a metric of areas needs to know of a probability map.

    `intersection` and `predicted` are `int64 (images, 255)`, `truth` is `int64 (images,)`, all in pixels.
    """

    intersection: Integers
    predicted: Integers
    truth: Integers


def areas_by_threshold(stored: Stored, truth: Mask) -> tuple[Integers, Integers, int]:
    """Areas of the intersection and of the prediction of one image at all thresholds, and the area of the truth.

    One histogram counts the pixels by probability and truth; sums from its far end are the areas above each threshold.

    Args:
        stored: kept map of (height, width), `uint8` or `float16`.
        truth: `bool (height, width)`.
    """
    joint = np.bincount((to_levels(stored).astype(np.uint16) | truth.astype(np.uint16) << 8).ravel(), minlength=512)
    background, foreground = (np.cumsum(counts[::-1])[::-1] for counts in (joint[:256], joint[256:]))
    return foreground[1:], (background + foreground)[1:], int(foreground[0])


def candidate_areas(truth: Integers) -> Integers:
    """Minimum areas worth trying, in pixels: none, and 40 steps of equal ratio up to the median non-empty truth."""
    positive = truth[truth > 0]
    if not len(positive):
        return np.zeros(1, np.int64)
    steps = np.geomspace(2, max(2.0, float(np.median(positive))), 40)
    return np.unique(np.concatenate([[0], np.round(steps)])).astype(np.int64)


@dataclass(frozen=True)
class Surface:
    """Sums of the metric over the images of each fold, for every threshold and minimum area.

    `sums` is `float64 (folds, 255, areas)`, `counts` the images per fold, `minimum_areas` the areas tried.
    """

    sums: Floats
    counts: Integers
    minimum_areas: Integers

    def mean(self, folds: npt.NDArray[np.bool_] | None = None) -> Floats:
        """Mean score over the images of the given folds (all by default), `float64 (255, areas)`."""
        chosen = np.ones(len(self.counts), np.bool_) if folds is None else folds
        scores: Floats = self.sums[chosen].sum(axis=0) / self.counts[chosen].sum()
        return scores


def score_surface(areas: AreasByThreshold, folds: Integers, metric: Metric) -> Surface:
    """Score every image with every threshold and minimum area, and sum by fold.

    Args:
        areas: of all out-of-fold images.
        folds: fold of each image, `int64 (images,)`; every number from 0 to the largest occurs.
        metric: the competition's.
    """
    minimum_areas = candidate_areas(areas.truth)
    counts = np.bincount(folds)
    sums = np.zeros((len(counts), 255, len(minimum_areas)))
    for start in range(0, len(folds), _IMAGES_AT_ONCE):
        part = slice(start, start + _IMAGES_AT_ONCE)
        truth = areas.truth[part]
        scores = metric.score(areas.intersection[part], areas.predicted[part], truth[:, None])
        nothing = np.zeros_like(truth)
        emptied = metric.score(nothing, nothing, truth)
        for position, minimum in enumerate(minimum_areas):
            kept = np.where(areas.predicted[part] >= minimum, scores, emptied[:, None])
            np.add.at(sums[:, :, position], folds[part], kept)
    return Surface(sums, counts, minimum_areas)


@dataclass(frozen=True)
class Tuned:
    """A recipe and its three scores, each a mean over all out-of-fold images.

    `untuned` is the score at 0.5 and no minimum area, `tuned` the best on the very images that it was chosen on, and
    `nested` the honest one: each fold scored with what the other folds chose. `recipe` is the one to submit with: the
    tuned one if `nested` beats `untuned`, the identity otherwise; `best` is the tuned one in any case.
    """

    recipe: Recipe
    best: Recipe
    untuned: float
    tuned: float
    nested: float


def tune(surface: Surface) -> Tuned:
    """Choose the recipe on out-of-fold scores; the identity stays unless the nested score beats it."""
    best = _best(surface.mean())
    held_out = 0.0
    for fold in range(len(surface.counts)):
        others = np.arange(len(surface.counts)) != fold
        held_out += surface.sums[fold][_best(surface.mean(others))]
    nested = float(held_out / surface.counts.sum())
    scores = surface.mean()
    untuned = float(scores[_UNTUNED, 0])
    recipe = _recipe(surface, best)
    return Tuned(recipe if nested > untuned else IDENTITY, recipe, untuned, float(scores[best]), nested)


def _best(scores: Floats) -> tuple[int, int]:
    """Position of the best score; among equals the one nearest to the identity, which asks for the least belief."""
    rows, columns = np.nonzero(scores >= scores.max() - 1e-12)
    nearest = np.lexsort((columns, np.abs(rows - _UNTUNED)))[0]
    return int(rows[nearest]), int(columns[nearest])


def _recipe(surface: Surface, position: tuple[int, int]) -> Recipe:
    return Recipe(float(THRESHOLDS[position[0]]), int(surface.minimum_areas[position[1]]))
