"""Compares test with out-of-fold predictions, and moves thresholds to keep the share of foreground."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from toolkit.core.arrays import Floats, Integers, Planes
from toolkit.core.masks.labels import IGNORE, Activation, planes
from toolkit.core.metrics.uncertainty.bootstrap import exceeds_noise, paired
from toolkit.core.recipe.postprocess import masks_of
from toolkit.core.recipe.probabilities import Stored, count_levels
from toolkit.core.recipe.recipe import ClassRecipe, Recipe
from toolkit.core.tuning.area_histograms import THRESHOLDS
from toolkit.core.tuning.recipe_scores import RecipeScores
from toolkit.core.tuning.task import RecipeTask

_BINS = 10


@dataclass(frozen=True)
class Look:
    """Summary of predictions and masks over all classes, without the background of exclusive classes.

    `empty_share` is the share of empty masks, `mean_coverage` the mean share of the image that masks cover, empty ones
    included, and `histogram` the share of the pixels whose probability is in each tenth from 0 to 1.
    """

    images: int
    empty_share: float
    mean_coverage: float
    histogram: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class FoldsLook:
    """Out-of-fold predictions and masks: how they look, and the levels of each fold, `int64 (folds, classes, 256)`.

    `wrong_share` is the share of the pixels that untuned masks get wrong, in the classes that the metric scores.
    """

    look: Look
    levels: Integers
    wrong_share: float


@dataclass(frozen=True)
class MatchedShare:
    """The effect of thresholds that keep the share of foreground pixels, measured on folds in place of test images.

    `gain` is the gain of folds over unchanged thresholds.
    """

    gain: float
    standard_error: float

    @property
    def helps(self) -> bool:
        """Whether the gain exceeds its standard error."""
        return exceeds_noise(self.gain, self.standard_error)


class Looker:
    """Gathers the `Look` of predictions and masks, and the levels of each class, image by image."""

    def __init__(self, classes: int, activation: Activation) -> None:
        self._first = 1 if activation == "softmax" and classes > 1 else 0
        self.levels: Integers = np.zeros((classes, 256), np.int64)
        self._coverages: list[Floats] = []

    def add(self, stored: Stored, masks: Planes) -> None:
        """Count one image: its map as it is kept and its masks, both (height, width, classes)."""
        self.levels += count_levels(stored)
        self._coverages.append(masks[..., self._first :].mean(axis=(0, 1)))

    def look(self) -> Look:
        """What was gathered."""
        coverage = np.array(self._coverages)
        pooled = self.levels[self._first :].sum(axis=0)
        tenths = np.minimum(np.arange(256) * _BINS // 255, _BINS - 1)
        histogram = np.bincount(tenths, pooled, _BINS) / pooled.sum()
        shares = tuple(float(share) for share in histogram)
        return Look(len(coverage), float((coverage == 0).mean()), float(coverage.mean()), shares)


def distance(first: Sequence[float], second: Sequence[float]) -> float:
    """The largest difference of two cumulated histograms, 0–1 (Kolmogorov and Smirnov's distance)."""
    return float(np.abs(np.cumsum(first) - np.cumsum(second)).max())


def matched(recipe: Recipe, source: Integers, target: Integers, activation: Activation) -> Recipe:
    """The recipe whose thresholds leave the same share of pixels above them in other predictions.

    The thresholds of masks and of triplets move, each class for itself; of equally good ones the nearest is taken.
    Where simply the most probable of exclusive classes wins, there is nothing to move.

    Args:
        recipe: that was tuned.
        source: levels of the predictions that it was tuned on, `int64 (classes, 256)`.
        target: those of the predictions that it is for.
        activation: whether classes are exclusive.
    """
    classes = len(source)
    if activation == "softmax" and recipe.between is None:
        return recipe
    first = 1 if activation == "softmax" else 0  # the background has no rule
    rules = list(recipe.classes * classes if len(recipe.classes) == 1 else recipe.classes)
    rules[first:] = [_moved(rules[index], source[index], target[index]) for index in range(first, classes)]
    return recipe if len(set(rules)) == 1 == len({*rules, *recipe.classes}) else replace(recipe, classes=tuple(rules))


def _moved(rule: ClassRecipe, source: Integers, target: Integers) -> ClassRecipe:
    triplet = rule.triplet
    if triplet is not None:
        triplet = replace(triplet, threshold=_same_share(triplet.threshold, source, target))
    return replace(rule, threshold=_same_share(rule.threshold, source, target), triplet=triplet)


def _same_share(threshold: float, source: Integers, target: Integers) -> float:
    above = [np.cumsum(levels[::-1])[::-1][1:] / max(levels.sum(), 1) for levels in (source, target)]
    missing = np.abs(above[1] - above[0][int(threshold * 255)])
    nearest = np.lexsort((np.abs(THRESHOLDS - threshold), missing))[0]
    return float(THRESHOLDS[nearest])


def look_at_folds(task: RecipeTask, recipe: Recipe) -> FoldsLook:
    """Look at the out-of-fold predictions and the masks that a recipe makes of them."""
    looker = Looker(task.classes, task.activation)
    levels = np.zeros((int(task.folds.max()) + 1, task.classes, 256), np.int64)
    wrong, pixels = 0, 0
    for example in task.examples("looking at out-of-fold masks"):
        looker.add(example.stored, masks_of(example.stored, task.activation, recipe, example.presence, task.plugins))
        levels[task.folds[example.position]] += count_levels(example.stored)
        truth = planes(example.labels, task.classes, task.activation)[..., task.searched]
        untuned = masks_of(example.stored, task.activation)[..., task.searched]
        wrong += int(((untuned != truth) & (truth != IGNORE)).sum())
        pixels += int((truth != IGNORE).sum())
    return FoldsLook(looker.look(), levels, wrong / max(1, pixels))


def try_matched_share(task: RecipeTask, by_fold: Sequence[Recipe], levels: Integers) -> MatchedShare:
    """Compare thresholds as levels with thresholds as shares, each fold standing in for images of another model.

    A fold's predictions come from a network that made none of those that its recipe was chosen on. Its thresholds are
    kept, or moved so that the share of its own pixels above them, which needs no truth, is that on the other folds.

    Args:
        task: images and folds.
        by_fold: what was chosen without each fold.
        levels: of each fold, `int64 (folds, classes, 256)`.
    """
    scores = RecipeScores(task.examples, task.images, task.metric, task.activation, plugins=task.plugins)
    everything = levels.sum(axis=0)
    moved = [
        matched(recipe, everything - own, own, task.activation) for recipe, own in zip(by_fold, levels, strict=True)
    ]
    found, kept = (
        scores.measure_each([recipes[fold] for fold in task.folds], "trying shares instead of thresholds")
        for recipes in (moved, by_fold)
    )
    difference = paired(task.metric, found, kept, seed=task.seed, groups=task.groups)
    return MatchedShare(
        difference.mean if task.metric.direction == "max" else -difference.mean, difference.standard_error
    )
