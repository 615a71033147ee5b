"""What every metric has in common: an image becomes a vector of statistics, and any set of images a score."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Floats, Integers, Labels, Mask, Objects, Planes
from toolkit.core.masks.labels import IGNORE, Activation, planes

Direction = Literal["max", "min"]
"""Whether the larger or the smaller score is the better one."""

Empty = Literal["one", "zero", "skip"]
"""What a pair of masks without any foreground scores: 1, 0, or nothing at all."""

AREAS = 4
"""Areas of one class in one image, in pixels that are not void: intersection, prediction, truth, and all of them."""


@dataclass(frozen=True, eq=False)  # arrays have no single truth value to compare by
class Case:
    """One image to be measured.

    `prediction` and `truth` are `bool (height, width, classes)`, False in ignored pixels; `valid` is
    `bool (height, width)`, False there. `objects` numbers the true objects where they are known. `whole_prediction`
    is the prediction with its ignored pixels: an object that void divides is still one object. `predicted` numbers the
    predicted objects of each class, `int32 (height, width, classes)`, where they are more than connected pixels.
    """

    prediction: Planes
    truth: Planes
    valid: Mask
    objects: Objects | None
    whole_prediction: Planes
    predicted: Objects | None = None

    @cached_property
    def areas(self) -> Integers:
        """`int64 (classes, 4)`: see `AREAS`."""
        # Counting is fastest along pixels that lie side by side.
        prediction, truth = _class_by_class(self.prediction), _class_by_class(self.truth)
        pixels = np.count_nonzero(self.valid)
        return np.array(
            [
                (np.count_nonzero(ours & true), np.count_nonzero(ours), np.count_nonzero(true), pixels)
                for ours, true in zip(prediction, truth, strict=True)
            ],
            np.int64,
        )

    @cached_property
    def wrong(self) -> int:
        """How many pixels are wrong in any class; ignored ones never are."""
        return int(np.count_nonzero((self.prediction != self.truth).any(axis=-1)))


def _class_by_class(masks: Planes) -> npt.NDArray[np.bool_]:
    """The pixels of each class in a row, `bool (classes, height · width)`."""
    return np.ascontiguousarray(masks.reshape(-1, masks.shape[2]).T)


def case_of(
    prediction: Planes,
    labels: Labels,
    activation: Activation,
    objects: Objects | None = None,
    predicted: Objects | None = None,
) -> Case:
    """Bring prediction and truth of one image together.

    Args:
        prediction: `bool (height, width, classes)`.
        labels: the truth, `uint8 (height, width)`, 255 in ignored pixels.
        activation: what the labels mean, see `Labels`.
        objects: the true objects, `int32 (height, width)`, where they are known.
        predicted: the predicted objects of each class, `int32 (height, width, classes)`, where they are not simply the
            connected pixels.

    Raises:
        ValueError: the sizes differ.
    """
    if prediction.shape[:2] != labels.shape:
        raise ValueError(f"prediction {prediction.shape[:2]} and truth {labels.shape} differ in size")
    if objects is not None and objects.shape != labels.shape:
        raise ValueError(f"objects {objects.shape} and truth {labels.shape} differ in size")
    valid = labels != IGNORE
    truth = planes(labels, prediction.shape[2], activation) == 1
    seen = prediction if valid.all() else prediction & valid[..., None]
    return Case(seen, truth, valid, objects, prediction, predicted)


def mean(values: Floats) -> float:
    """Mean of the values that are not NaN, NaN if there is none; exact, so that their order does not matter."""
    counted = values[~np.isnan(values)].tolist()
    return math.fsum(counted) / len(counted) if counted else math.nan


def mean_of_draws(values: Floats, counts: Floats) -> Floats:
    """Mean of the values that are not NaN in sets of images that hold each image so often.

    Args:
        values: of each image, (images, k).
        counts: (sets, images).

    Returns:
        `float64 (sets,)`; NaN where no value counts.
    """
    counted = ~np.isnan(values)
    totals = counts @ np.where(counted, values, 0).sum(axis=1)
    numbers = counts @ counted.sum(axis=1)
    return np.where(numbers == 0, np.nan, totals / np.maximum(numbers, 1))


@dataclass(frozen=True)
class Metric(ABC):
    """A metric of predictions of `classes` classes.

    `label` is the canonical text that names it in tables and files, `chosen` the only class that counts, all of them if
    it is None.
    """

    label: str
    classes: int
    chosen: int | None = None
    direction: Direction = "max"

    @abstractmethod
    def measure(self, case: Case) -> Floats:
        """The statistics of one image, `float64 (k,)`: all that scores of sets with this image need to know of it."""

    @abstractmethod
    def score(self, statistics: Floats) -> float:
        """The score of a set of images, from their statistics (images, k); NaN where none counts."""

    @abstractmethod
    def per_image(self, statistics: Floats) -> Floats:
        """The score of each image alone, `float64 (images,)`; NaN where it is skipped."""

    @abstractmethod
    def per_class(self, statistics: Floats) -> Floats:
        """The score of each class over all images, `float64 (classes,)`; NaN for classes without any."""

    @abstractmethod
    def of_draws(self, statistics: Floats, counts: Floats) -> Floats:
        """The score of sets that hold each image `counts` times, (sets, images): `float64 (sets,)`, for resampling."""

    @property
    def needs_objects(self) -> bool:
        """Whether it asks which true object a pixel belongs to."""
        return False

    def is_better(self, score: float, other: float) -> bool:
        """Whether a score is better than another; no score (NaN) is worse than any."""
        if math.isnan(score) or math.isnan(other):
            return math.isnan(other) and not math.isnan(score)
        return score > other if self.direction == "max" else score < other

    def for_class(self, index: int) -> Self:
        """This metric of one class only, under a label of its own, such as `iou[2]`.

        Raises:
            ValueError: there is no such class.
        """
        if not 0 <= index < self.classes:
            raise ValueError(f"class {index} is none of 0 … {self.classes - 1}")
        return replace(self, label=f"{self.label}[{index}]", chosen=index)

    def taken(self, values: Floats) -> Floats:
        """The columns of the classes that count, of (…, classes)."""
        return values if self.chosen is None else values[..., self.chosen : self.chosen + 1]


@dataclass(frozen=True)
class PairMetric(Metric):
    """A mean over pairs of image and class, each scored alone."""

    @abstractmethod
    def pairs(self, statistics: Floats) -> Floats:
        """The score of each image and class, `float64 (images, classes)`; NaN where it is skipped."""

    def score(self, statistics: Floats) -> float:
        """Mean over all pairs that are not skipped."""
        return mean(self.taken(self.pairs(statistics)).ravel())

    def per_image(self, statistics: Floats) -> Floats:
        """Mean over the classes of each image."""
        pairs = self.taken(self.pairs(statistics))
        return pairs[:, 0] if pairs.shape[1] == 1 else np.array([mean(row) for row in pairs], np.float64)

    def per_class(self, statistics: Floats) -> Floats:
        """Mean over the images of each class."""
        return np.array([mean(column) for column in self.pairs(statistics).T], np.float64)

    def of_draws(self, statistics: Floats, counts: Floats) -> Floats:
        """Mean over all pairs that are not skipped."""
        return mean_of_draws(self.taken(self.pairs(statistics)), counts)
