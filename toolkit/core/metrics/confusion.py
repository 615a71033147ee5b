"""Error analysis: confusion matrix, scores of each class, images by foreground size, and the worst images."""

import math
from dataclasses import dataclass

import numpy as np

from toolkit.core.arrays import Floats, Integers, Labels, Planes
from toolkit.core.images.chunks import count_values
from toolkit.core.masks.labels import IGNORE, Activation, label_count, planes
from toolkit.core.metrics import area as area_metrics
from toolkit.core.metrics.area import AreaFormula
from toolkit.core.metrics.metric import Direction, mean

AREA_BINS = 5
"""Bins of images with foreground by default."""


@dataclass(frozen=True, eq=False)
class Confusion:
    """A confusion matrix over pixels.

    With independent classes (sigmoid), the first class is the background: pixels of no class. A pixel of several
    classes counts for each of them, so that a row may add up to more than the pixels of its class.

    Attributes:
        counts: pixels by true class (rows) and predicted class (columns), `int64 (n, n)`.
        pixels: pixels of each true class, `int64 (n,)`.
    """

    counts: Integers
    pixels: Integers

    def __add__(self, other: "Confusion") -> "Confusion":
        """The confusion over the images of both."""
        return Confusion(self.counts + other.counts, self.pixels + other.pixels)

    @property
    def shares(self) -> Floats:
        """Shares of the pixels of the true class, `float64 (n, n)`, recall on the diagonal; NaN without pixels."""
        pixels = self.pixels[:, None]
        return np.where(pixels == 0, np.nan, self.counts / np.maximum(pixels, 1))


def confusion_of(prediction: Planes, labels: Labels, activation: Activation) -> Confusion:
    """Count the confusion of one image, without ignored pixels.

    Args:
        prediction: `bool (height, width, classes)`.
        labels: truth, `uint8 (height, width)`.
        activation: how to read the labels, see `Labels`.
    """
    count = prediction.shape[2]
    # All possible labels, and the classes of each: several where independent classes share pixels.
    labels_known = np.arange(label_count(count, activation), dtype=np.uint8)
    belongs = planes(labels_known, count, activation).T.astype(np.int64)
    columns = [prediction[..., index] for index in range(count)]
    if activation == "sigmoid":
        belongs = np.concatenate([(labels_known == 0)[None], belongs])
        columns.insert(0, np.asarray(~prediction.any(axis=-1)))

    def counted(some: Labels) -> Integers:
        # The label of ignored pixels, the largest one, is cut off.
        return np.asarray(belongs @ count_values(some, IGNORE + 1)[: len(labels_known)], np.int64)

    return Confusion(np.stack([counted(labels[column]) for column in columns], axis=1), counted(labels))


def worst_first(scores: Floats, wrong: Integers, direction: Direction) -> Integers:
    """Positions of the images from the worst score to the best; among equals, those with more wrong pixels first.

    Images without a score (NaN) are left out.
    """
    counted = np.flatnonzero(~np.isnan(scores))
    keys = scores[counted] if direction == "max" else -scores[counted]
    return counted[np.lexsort((-wrong[counted], keys))]


@dataclass(frozen=True)
class PixelScores:
    """Scores of one class; None if undefined, for example precision without any prediction. F1 equals Dice."""

    precision: float | None
    recall: float | None
    f1: float | None
    iou: float | None


@dataclass(frozen=True)
class ClassScores:
    """Scores of one class.

    Attributes:
        pooled: scores over the pixels of all images together.
        per_image: mean of the scores of the images that contain the class; images without a prediction are left out of
            precision.
        pixels: true pixels.
        predicted_pixels: predicted pixels.
        images: images that contain the class.
        found: those of them with a prediction of the class.
        empty_images: images that do not contain the class.
        left_empty: those of them without a prediction of the class.
    """

    pooled: PixelScores
    per_image: PixelScores
    pixels: int
    predicted_pixels: int
    images: int
    found: int
    empty_images: int
    left_empty: int


_FORMULAS: tuple[AreaFormula, ...] = tuple(
    formula(empty="skip")
    for formula in (area_metrics.precision, area_metrics.recall, area_metrics.dice, area_metrics.iou)
)


def class_scores(areas: Integers) -> ClassScores:
    """Score one class from its areas in each image, `int64 (images, 4)`; see `toolkit.core.metrics.metric.AREAS`."""
    predicted, truth = areas[:, 1] > 0, areas[:, 2] > 0
    shown = areas[truth]
    per_image = (mean(formula.score(shown[:, 0], shown[:, 1], shown[:, 2])) for formula in _FORMULAS)
    return ClassScores(
        pooled=pooled_scores(areas),
        per_image=_scores(*per_image),
        pixels=int(areas[:, 2].sum()),
        predicted_pixels=int(areas[:, 1].sum()),
        images=int(truth.sum()),
        found=int((truth & predicted).sum()),
        empty_images=int((~truth).sum()),
        left_empty=int((~truth & ~predicted).sum()),
    )


def pooled_scores(areas: Integers) -> PixelScores:
    """Scores over all areas together, `int64 (…, 4)`."""
    total = areas.reshape(-1, areas.shape[-1]).sum(axis=0)
    return _scores(*(float(formula.score(total[0], total[1], total[2])) for formula in _FORMULAS))


def _scores(*values: float) -> PixelScores:
    return PixelScores(*(None if math.isnan(value) else value for value in values))


@dataclass(frozen=True, eq=False)
class AreaBin:
    """The images, by position, whose foreground has from `low` to `high` pixels."""

    low: int
    high: int
    positions: Integers


def area_bins(foreground: Integers, count: int = AREA_BINS) -> list[AreaBin]:
    """Group images by the size of their true foreground: empty images, then `count` bins with equally many images.

    Images with equal foreground stay together, so that there may be fewer bins, or unequal ones.
    """
    positive = np.sort(foreground[foreground > 0])
    starts = [0] if len(positive) < len(foreground) else []
    if len(positive):
        starts += sorted({int(sizes[0]) for sizes in np.array_split(positive, min(count, len(positive)))})
    group = np.searchsorted(starts, foreground, side="right") - 1
    members = (np.flatnonzero(group == number) for number in range(len(starts)))
    return [AreaBin(int(foreground[some].min()), int(foreground[some].max()), some) for some in members]
