"""The search for the recipe: all thresholds and minimum areas at once, from histograms, scored honestly."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from toolkit.core.area_metrics import AreaFormula, AreaMetric, PixelAccuracy, PooledMetric
from toolkit.core.arrays import Floats, Integers, Mask
from toolkit.core.blend import Stored, to_levels
from toolkit.core.measuring import Metric
from toolkit.core.postprocess import IDENTITY
from toolkit.core.recipe import ClassRecipe, Recipe

THRESHOLDS: Floats = (np.arange(1, 256) - 0.5) / 255
"""All 255 thresholds that an 8-bit map can tell apart; entry 127 is 0.5."""

_UNTUNED = 127
_IMAGES_AT_ONCE = 256


@dataclass(frozen=True)
class AreasByThreshold:
    """Per image, the areas at all 255 thresholds: all that a metric of areas needs to know of a probability map.

    `intersection` and `predicted` are `int64 (images, 255)`, `truth` is `int64 (images,)`, all in pixels that are not
    void. `sizes`, `int64 (images, 255)`, are the predicted areas with the void pixels, which a minimum area looks at,
    and `pixels`, `int64 (images,)`, count those that are not void; only what needs them asks for them.
    """

    intersection: Integers
    predicted: Integers
    truth: Integers
    sizes: Integers | None = None
    pixels: Integers | None = None

    def kept(self, part: slice, minimum: int) -> Mask:
        """Where some images keep their mask, `bool (images, 255)`."""
        return (self.predicted if self.sizes is None else self.sizes)[part] >= minimum


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


class Scored(Protocol):
    """The scores of every threshold and minimum area, over the images of any folds."""

    @property
    def folds_count(self) -> int:
        """How many folds there are."""

    @property
    def minimum_areas(self) -> Integers:
        """The minimum areas tried, `int64 (areas,)`."""

    def mean(self, folds: npt.NDArray[np.bool_] | None = None) -> Floats:
        """Score over the images of the given folds (all by default), `float64 (255, areas)`; NaN where none counts."""

    def mixed(self, chosen: Sequence[tuple[int, int]]) -> float:
        """Score over all images where each fold follows its own threshold and minimum area."""


@dataclass(frozen=True)
class Surface:
    """Sums of the metric over the images of each fold, for every threshold and minimum area.

    `sums` is `float64 (folds, 255, areas)`, `minimum_areas` the areas tried. `counts` are the images that count:
    `int64 (folds,)`, or of the shape of `sums` where it depends on the mask whether an image is skipped.
    """

    sums: Floats
    counts: Integers
    minimum_areas: Integers

    @property
    def folds_count(self) -> int:
        """How many folds there are."""
        return len(self.counts)

    def mean(self, folds: npt.NDArray[np.bool_] | None = None) -> Floats:
        """Mean score over the images of the given folds (all by default), `float64 (255, areas)`."""
        chosen = np.ones(len(self.counts), np.bool_) if folds is None else folds
        return _quotient(self.sums[chosen].sum(axis=0), self.counts[chosen].sum(axis=0))

    def mixed(self, chosen: Sequence[tuple[int, int]]) -> float:
        """Mean score over all images where each fold follows its own threshold and minimum area."""
        total, count = 0.0, 0
        for fold, position in enumerate(chosen):
            total += self.sums[fold][position]
            count += int(self.counts[fold] if self.counts.ndim == 1 else self.counts[fold][position])
        return float(_quotient(np.float64(total), np.int64(count)))


def _quotient(sums: Floats | np.float64, counts: Integers | np.int64) -> Floats:
    return np.where(counts == 0, np.nan, sums / np.maximum(counts, 1))


def score_surface(areas: AreasByThreshold, folds: Integers, formula: AreaFormula) -> Surface:
    """Score every image with every threshold and minimum area, and sum by fold.

    Args:
        areas: of all out-of-fold images.
        folds: fold of each image, `int64 (images,)`; every number from 0 to the largest occurs.
        formula: the competition's metric.
    """
    minimum_areas = candidate_areas(areas.truth)
    images = np.bincount(folds)
    sums = np.zeros((len(images), 255, len(minimum_areas)))
    counts = np.zeros_like(sums, np.int64) if formula.empty == "skip" else images
    for start in range(0, len(folds), _IMAGES_AT_ONCE):
        part = slice(start, start + _IMAGES_AT_ONCE)
        truth = areas.truth[part]
        scores = formula.score(areas.intersection[part], areas.predicted[part], truth[:, None])
        nothing = np.zeros_like(truth)
        emptied = formula.score(nothing, nothing, truth)
        for position, minimum in enumerate(minimum_areas):
            kept = np.where(areas.kept(part, int(minimum)), scores, emptied[:, None])
            if formula.empty == "skip":
                counted = ~np.isnan(kept)
                kept = np.where(counted, kept, 0)
                np.add.at(counts[:, :, position], folds[part], counted)
            np.add.at(sums[:, :, position], folds[part], kept)
    return Surface(sums, counts, minimum_areas)


@dataclass(frozen=True)
class PooledSurface:
    """Areas summed over the images of each fold, for every threshold and minimum area, and the metric of such sums.

    `areas` is `int64 (folds, 255, areas, 4)`, the last axis as in `toolkit.core.measuring.AREAS`.
    """

    areas: Integers
    minimum_areas: Integers
    metric: PooledMetric | PixelAccuracy

    @property
    def folds_count(self) -> int:
        """How many folds there are."""
        return len(self.areas)

    def mean(self, folds: npt.NDArray[np.bool_] | None = None) -> Floats:
        """Score of all pixels of the given folds (all by default), `float64 (255, areas)`."""
        chosen = np.ones(len(self.areas), np.bool_) if folds is None else folds
        return self.metric.of_areas(self.areas[chosen].sum(axis=0))

    def mixed(self, chosen: Sequence[tuple[int, int]]) -> float:
        """Score of all pixels where each fold follows its own threshold and minimum area."""
        total = sum((self.areas[fold][position] for fold, position in enumerate(chosen)), np.zeros(4, np.int64))
        return float(self.metric.of_areas(total))


def pooled_surface(areas: AreasByThreshold, folds: Integers, metric: PooledMetric | PixelAccuracy) -> PooledSurface:
    """Sum the areas of every threshold and minimum area by fold; arguments as for `score_surface`.

    `areas` needs its `pixels`.
    """
    if areas.pixels is None:
        raise ValueError("the areas do not say how many pixels the images have")
    minimum_areas = candidate_areas(areas.truth)
    sums = np.zeros((folds.max() + 1, 255, len(minimum_areas), 4), np.int64)
    np.add.at(sums[..., 2], folds, areas.truth[:, None, None])
    np.add.at(sums[..., 3], folds, areas.pixels[:, None, None])
    for position, minimum in enumerate(minimum_areas):
        kept = areas.kept(slice(None), int(minimum))
        np.add.at(sums[:, :, position, 0], folds, np.where(kept, areas.intersection, 0))
        np.add.at(sums[:, :, position, 1], folds, np.where(kept, areas.predicted, 0))
    return PooledSurface(sums, minimum_areas, metric)


def surface_of(areas: AreasByThreshold, folds: Integers, metric: Metric) -> Scored:
    """The scores of every threshold and minimum area by a metric of a single class.

    Raises:
        ValueError: it depends on more than areas.
    """
    if isinstance(metric, PooledMetric | PixelAccuracy):
        return pooled_surface(areas, folds, metric)
    if isinstance(metric, AreaMetric):
        return score_surface(areas, folds, metric.formula)
    raise ValueError(f"{metric.label} depends on more than areas")


@dataclass(frozen=True)
class Tuned:
    """A recipe and its three scores, each over all out-of-fold images.

    `untuned` is the score at 0.5 and no minimum area, `tuned` the best on the very images that it was chosen on, and
    `nested` the honest one: each fold scored with what the other folds chose. `recipe` is the one to submit with: the
    tuned one if `nested` beats `untuned`, the identity otherwise; `best` is the tuned one in any case.
    """

    recipe: Recipe
    best: Recipe
    untuned: float
    tuned: float
    nested: float


def tune(surface: Scored) -> Tuned:
    """Choose the recipe on out-of-fold scores; the identity stays unless the nested score beats it."""
    scores = surface.mean()
    best = _best(scores)
    folds = np.arange(surface.folds_count)
    nested = surface.mixed([_best(surface.mean(folds != fold)) for fold in folds])
    untuned = float(scores[_UNTUNED, 0])
    recipe = _recipe(surface, best)
    return Tuned(recipe if nested > untuned else IDENTITY, recipe, untuned, float(scores[best]), nested)


def _best(scores: Floats) -> tuple[int, int]:
    """Position of the best score; among equals the one nearest to the identity, which asks for the least belief."""
    scores = np.where(np.isnan(scores), -1, scores)
    rows, columns = np.nonzero(scores >= scores.max() - 1e-12)
    nearest = np.lexsort((columns, np.abs(rows - _UNTUNED)))[0]
    return int(rows[nearest]), int(columns[nearest])


def _recipe(surface: Scored, position: tuple[int, int]) -> Recipe:
    threshold, area = float(THRESHOLDS[position[0]]), int(surface.minimum_areas[position[1]])
    return Recipe((ClassRecipe(threshold=threshold, minimum_area=area),))
