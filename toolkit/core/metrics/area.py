"""Metrics computed from three areas: intersection, prediction and truth."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Floats, Integers, Mask
from toolkit.core.masks.labels import Activation
from toolkit.core.metrics.metric import (
    AREAS,
    EMPTY_SCORES,
    Case,
    Empty,
    Metric,
    MetricArgument,
    MetricKind,
    PairMetric,
    mean,
)

Areas = npt.NDArray[np.int64]
Numbers = npt.NDArray[Any]
"""`int64`; `float64` if an area is weighted."""

Ratio = Callable[[Areas, Areas, Areas], tuple[Numbers, Numbers]]
"""A function of intersection, prediction and truth that gives a numerator and a denominator."""


def _divided(numerator: Numbers, denominator: Numbers) -> Floats:
    return np.asarray(numerator / denominator, np.float64)


def _thresholds_exceeded(intersection: Numbers, union: Numbers) -> Floats:
    """Share of the thresholds 0.50, 0.55, …, 0.95 below the IoU; integer arithmetic avoids rounding at a threshold."""
    passed = np.zeros(np.broadcast(intersection, union).shape, np.int64)
    for twentieths in range(10, 20):
        passed += 20 * intersection > twentieths * union
    return passed / 10


@dataclass(frozen=True)
class AreaFormula:
    """A score of one pair of masks, 0–1, from three areas.

    `empty` is the score of two empty masks. If only one is empty and the denominator is still zero (precision without
    prediction, recall without truth), the score is 0; with `skip`, the pair does not count.
    """

    name: str
    ratio: Ratio
    empty: Empty = "one"
    value: Callable[[Numbers, Numbers], Floats] = _divided

    def score(self, intersection: Areas, predicted: Areas, truth: Areas) -> Floats:
        """Scores of pixel counts, `float64` of the shape that they broadcast to; NaN where skipped."""
        numerator, denominator = self.ratio(intersection, predicted, truth)
        undefined = denominator == 0
        scores = self.value(numerator, np.where(undefined, 1, denominator))
        if self.empty == "skip":
            return np.where(undefined, np.nan, scores)
        return np.where(predicted + truth == 0, 1.0, scores) if self.empty == "one" else scores

    def of_masks(self, prediction: Mask, truth: Mask) -> float:
        """Score one predicted mask against the truth, both `bool (height, width)`."""
        if prediction.shape != truth.shape:
            raise ValueError(f"prediction {prediction.shape} and truth {truth.shape} differ in size")
        areas = ((prediction & truth).sum(), prediction.sum(), truth.sum())
        intersection, predicted, actual = (np.asarray(area, np.int64) for area in areas)
        return float(self.score(intersection, predicted, actual))


def _dice(intersection: Areas, predicted: Areas, truth: Areas) -> tuple[Numbers, Numbers]:
    return 2 * intersection, predicted + truth


def _iou(intersection: Areas, predicted: Areas, truth: Areas) -> tuple[Numbers, Numbers]:
    return intersection, predicted + truth - intersection


def _precision(intersection: Areas, predicted: Areas, truth: Areas) -> tuple[Numbers, Numbers]:
    return intersection, predicted


def _recall(intersection: Areas, predicted: Areas, truth: Areas) -> tuple[Numbers, Numbers]:
    return intersection, truth


def _fbeta(intersection: Areas, predicted: Areas, truth: Areas, *, beta: float) -> tuple[Numbers, Numbers]:
    return (1 + beta**2) * intersection, predicted + beta**2 * truth


def dice(empty: Empty = "one") -> AreaFormula:
    """Dice coefficient, 2·|A∩B| / (|A|+|B|).

    The metric of SIIM-ACR Pneumothorax (https://www.kaggle.com/c/siim-acr-pneumothorax-segmentation/overview/evaluation).
    """
    return AreaFormula("dice", _dice, empty)


def iou(empty: Empty = "one") -> AreaFormula:
    """Intersection over union (Jaccard index), |A∩B| / |A∪B|."""
    return AreaFormula("iou", _iou, empty)


def precision(empty: Empty = "one") -> AreaFormula:
    """Share of the predicted pixels that are true, |A∩B| / |A|."""
    return AreaFormula("precision", _precision, empty)


def recall(empty: Empty = "one") -> AreaFormula:
    """Share of the true pixels that are predicted, |A∩B| / |B|."""
    return AreaFormula("recall", _recall, empty)


def fbeta(beta: float, empty: Empty = "one") -> AreaFormula:
    """F-measure, (1+β²)·|A∩B| / (|A|+β²·|B|): recall counts β times as much as precision.

    With β = 0.5, the metric of Vesuvius (https://www.kaggle.com/c/vesuvius-challenge-ink-detection/overview/evaluation).
    """
    return AreaFormula("fbeta", partial(_fbeta, beta=beta), empty)


def salt_map(empty: Empty = "one") -> AreaFormula:
    """Share of the thresholds 0.50, 0.55, …, 0.95 that the IoU exceeds.

    The metric of TGS Salt Identification (https://www.kaggle.com/c/tgs-salt-identification-challenge/overview/evaluation).
    """
    return AreaFormula("salt_map", _iou, empty, _thresholds_exceeded)


def _by_class(statistics: Floats, classes: int) -> Integers:
    """Statistics (…, 4·classes) as areas, `int64 (…, classes, 4)`."""
    return np.asarray(statistics, np.int64).reshape(*statistics.shape[:-1], classes, AREAS)


@dataclass(frozen=True, kw_only=True)
class AreaMetric(PairMetric):
    """A formula applied to every pair of image and class."""

    formula: AreaFormula

    @property
    def counts_areas(self) -> bool:
        """Always."""
        return True

    def measure(self, case: Case) -> Floats:
        """The areas of each class, flat: (4·classes,)."""
        return case.areas.ravel().astype(np.float64)

    def of_areas(self, areas: Integers) -> Floats:
        """Scores `float64 (…)` of areas `int64 (…, 4)`."""
        return self.formula.score(areas[..., 0], areas[..., 1], areas[..., 2])

    def true_of_images(self, statistics: Floats) -> Floats:
        """The true pixels of each image and class."""
        return _true_pixels(statistics, self.classes)

    def pairs(self, statistics: Floats) -> Floats:
        """The score of each image and class."""
        return self.of_areas(_by_class(statistics, self.classes))


@dataclass(frozen=True, kw_only=True)
class PooledMetric(AreaMetric):
    """A formula applied to the areas of each class summed over all images, then averaged over classes.

    A class that no image shows has no score, unless `empty` gives it one; one that is shown but never predicted has
    precision 0.
    """

    def shown(self, truth: Floats) -> Mask:
        """Which classes have a score: with `skip` those that any image shows, otherwise all."""
        return super().shown(truth) if self.formula.empty == "skip" else np.ones(truth.shape, np.bool_)

    def of_areas(self, areas: Integers) -> Floats:
        """Scores `float64 (…)` of areas `int64 (…, 4)`."""
        scores = super().of_areas(areas)
        return np.where(np.isnan(scores) & (areas[..., 1] + areas[..., 2] > 0), 0.0, scores)

    def score(self, statistics: Floats) -> float:
        """The mean over the classes that count."""
        return mean(self._pooled(statistics)[self.counted(self.truth_of_set(statistics))])

    def per_class(self, statistics: Floats) -> Floats:
        """The score of each class from its summed areas; NaN for classes that no image shows."""
        return np.where(self.shown(self.truth_of_set(statistics)), self._pooled(statistics), np.nan)

    def of_draws(self, statistics: Floats, counts: Floats) -> Floats:
        """The scores of summed areas: a set of images is scored like one large image."""
        sums = counts @ statistics
        scores = np.where(self.counted(self.true_of_images(sums)), self.pairs(sums), np.nan)
        return np.array([mean(row) for row in scores], np.float64)

    def _pooled(self, statistics: Floats) -> Floats:
        return self.of_areas(_by_class(statistics, self.classes).sum(axis=0))


@dataclass(frozen=True, kw_only=True)
class PixelAccuracy(Metric):
    """Share of correct pixels over all images; ignored pixels do not count.

    With `exclusive` classes, a pixel is correct if its class is. With independent classes, each pixel counts once for
    every class, as in Keras' `binary_accuracy`. Restricted to one class, it is the share of pixels that are correctly
    assigned or not assigned to that class.
    """

    exclusive: bool = False
    empty: Empty = "skip"

    @property
    def counts_areas(self) -> bool:
        """Always."""
        return True

    def measure(self, case: Case) -> Floats:
        """The areas of each class, flat: (4·classes,)."""
        return case.areas.ravel().astype(np.float64)

    def of_areas(self, areas: Integers) -> Floats:
        """Shares of correct pixels from the areas of single classes, `int64 (…, 4)`."""
        return self._share(_right(areas), areas[..., 3])

    def score(self, statistics: Floats) -> float:
        """The share of correct pixels of all images."""
        areas = _by_class(statistics, self.classes).sum(axis=0)
        return float(self._of_classes(areas, self.counted(self.truth_of_set(statistics))))

    def true_of_images(self, statistics: Floats) -> Floats:
        """The true pixels of each image and class."""
        return _true_pixels(statistics, self.classes)

    def per_image(self, statistics: Floats) -> Floats:
        """The share of correct pixels of each image."""
        return self._of_classes(_by_class(statistics, self.classes), self.counted(self.truth_of_set(statistics)))

    def per_class(self, statistics: Floats) -> Floats:
        """The share of pixels that are correctly assigned or not to each class; NaN for those that no image shows."""
        found = self.of_areas(_by_class(statistics, self.classes).sum(axis=0))
        return np.where(self.shown(self.truth_of_set(statistics)), found, np.nan)

    def of_draws(self, statistics: Floats, counts: Floats) -> Floats:
        """The scores of summed areas: a set of images is scored like one large image."""
        sums = counts @ statistics
        return self._of_classes(_by_class(sums, self.classes), self.counted(self.true_of_images(sums)))

    def _of_classes(self, areas: Integers, counted: Mask) -> Floats:
        """Shares of correct pixels from areas (…, classes, 4) and the classes that count, (…, classes)."""
        if self.chosen is None and self.exclusive:
            return self._share(areas[..., 0].sum(axis=-1), areas[..., 0, 3])
        return self._share((_right(areas) * counted).sum(axis=-1), (areas[..., 3] * counted).sum(axis=-1))

    def _share(self, right: Areas, pixels: Areas) -> Floats:
        return np.where(pixels == 0, EMPTY_SCORES[self.empty], right / np.maximum(pixels, 1))


def _true_pixels(statistics: Floats, classes: int) -> Floats:
    """The true pixels of each image and class, (images, classes), from their areas."""
    return np.asarray(statistics.reshape(-1, classes, AREAS)[..., 2], np.float64)


def _right(areas: Integers) -> Areas:
    """Number of true positives and true negatives."""
    return np.asarray(areas[..., 3] - areas[..., 1] - areas[..., 2] + 2 * areas[..., 0])


def _per_image(
    formula: Callable[..., AreaFormula], label: str, classes: int, activation: Activation, **arguments: Any
) -> Metric:
    return AreaMetric(label, classes, formula=formula(**arguments))


def _pooled(
    formula: Callable[..., AreaFormula], label: str, classes: int, activation: Activation, **arguments: Any
) -> Metric:
    return PooledMetric(label, classes, formula=formula(**arguments))


def _accuracy(label: str, classes: int, activation: Activation, *, empty: Empty) -> Metric:
    return PixelAccuracy(label, classes, exclusive=activation == "softmax", empty=empty)


_BETA = MetricArgument(1.0, "Weight of recall relative to precision.", above=0, below=1000)

AREA_METRICS: dict[str, MetricKind] = {
    "dice": MetricKind("one", partial(_per_image, dice)),
    "iou": MetricKind("one", partial(_per_image, iou)),
    "precision": MetricKind("one", partial(_per_image, precision)),
    "recall": MetricKind("one", partial(_per_image, recall)),
    "fbeta": MetricKind("one", partial(_per_image, fbeta), {"beta": _BETA}),
    "salt_map": MetricKind("one", partial(_per_image, salt_map)),
    "global_dice": MetricKind("skip", partial(_pooled, dice)),
    "global_precision": MetricKind("skip", partial(_pooled, precision)),
    "global_recall": MetricKind("skip", partial(_pooled, recall)),
    "miou": MetricKind("skip", partial(_pooled, iou)),
    "pixel_accuracy": MetricKind("skip", _accuracy),
}
"""The metrics of areas by the name that config.yaml uses."""
