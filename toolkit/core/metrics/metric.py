"""The interface of metrics: an image becomes a vector of statistics, and the statistics of any images a score."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Floats, Integers, Labels, Mask, Objects, Planes, Probability
from toolkit.core.masks.labels import IGNORE, Activation, planes
from toolkit.errors import out_of_range

Direction = Literal["max", "min"]
"""Whether the larger or the smaller score is better."""

Empty = Literal["one", "zero", "skip"]
"""The score of a pair of masks without any foreground: 1, 0, or not counted."""

EMPTY_SCORES: dict[Empty, float] = {"one": 1.0, "zero": 0.0, "skip": math.nan}

AREAS = 4
"""Number of areas of one class in one image, in pixels that are not ignored: intersection, prediction, truth, all."""


@dataclass(frozen=True, eq=False)  # arrays have no single truth value to compare by
class Case:
    """Prediction and truth of one image.

    Attributes:
        prediction: `bool (height, width, classes)`, False in ignored pixels.
        truth: the same for the truth.
        valid: `bool (height, width)`, False in ignored pixels.
        objects: number of each pixel's true object, `int32 (height, width)`; None if unknown.
        whole_prediction: the prediction including ignored pixels: they do not divide an object into two.
        predicted: number of each pixel's predicted object, `int32 (height, width, classes)`; None if the objects are
            simply the connected components.
        probability: the probabilities before the recipe, `float32 (height, width, classes)`; None if unknown.
    """

    prediction: Planes
    truth: Planes
    valid: Mask
    objects: Objects | None
    whole_prediction: Planes
    predicted: Objects | None = None
    probability: Probability | None = None

    @property
    def known_probability(self) -> Probability:
        """The probabilities.

        Raises:
            ValueError: they are unknown.
        """
        if self.probability is None:
            raise ValueError("the metric compares probabilities, but only masks are known")
        return self.probability

    @cached_property
    def areas(self) -> Integers:
        """`int64 (classes, 4)`, see `AREAS`."""
        # Counting is fastest over contiguous pixels.
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
        """Number of pixels that are wrong in any class, without ignored ones."""
        return int(np.count_nonzero((self.prediction != self.truth).any(axis=-1)))


def _class_by_class(masks: Planes) -> npt.NDArray[np.bool_]:
    """The pixels of each class, contiguous: `bool (classes, height · width)`."""
    return np.ascontiguousarray(masks.reshape(-1, masks.shape[2]).T)


def case_of(
    prediction: Planes,
    labels: Labels,
    activation: Activation,
    objects: Objects | None = None,
    predicted: Objects | None = None,
    *,
    probability: Probability | None = None,
) -> Case:
    """Combine prediction and truth of one image.

    Args:
        prediction: `bool (height, width, classes)`.
        labels: truth, `uint8 (height, width)`, 255 in ignored pixels.
        activation: how to read the labels, see `Labels`.
        objects: true objects, `int32 (height, width)`, if known.
        predicted: predicted objects of each class, `int32 (height, width, classes)`, unless they are simply the
            connected components.
        probability: the probabilities, `float32 (height, width, classes)`, if a metric compares them.

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
    return Case(seen, truth, valid, objects, prediction, predicted, probability)


def mean(values: Floats) -> float:
    """Mean of the values that are not NaN, NaN if there are none; summed exactly, so that the order does not matter."""
    counted = values[~np.isnan(values)].tolist()
    return math.fsum(counted) / len(counted) if counted else math.nan


def mean_of_draws(values: Floats, counts: Floats) -> Floats:
    """Mean of the values that are not NaN in each of several drawn sets of images.

    Args:
        values: values of each image, (images, k).
        counts: how often each set contains each image, (sets, images).

    Returns:
        `float64 (sets,)`; NaN for a set in which no value counts.
    """
    counted = ~np.isnan(values)
    totals = counts @ np.where(counted, values, 0).sum(axis=1)
    numbers = counts @ counted.sum(axis=1)
    return np.where(numbers == 0, np.nan, totals / np.maximum(numbers, 1))


def class_label(label: str, name: str) -> str:
    """The name of a metric's score of one class in tables and files: `iou[road]`."""
    return f"{label}[{name}]"


@dataclass(frozen=True)
class Metric(ABC):
    """A metric of predictions of `classes` classes.

    `label` is the canonical text that names it in tables and files. `chosen` are the indices of the classes that count;
    None if all count. With `counts_unseen`, classes that no image shows count too, as competitions count them.
    """

    label: str
    classes: int
    chosen: tuple[int, ...] | None = None
    direction: Direction = "max"
    counts_unseen: bool = False

    @abstractmethod
    def measure(self, case: Case) -> Floats:
        """The statistics of one image, `float64 (k,)`, from which the score of any set of images can be computed."""

    @abstractmethod
    def score(self, statistics: Floats) -> float:
        """The score of a set of images from their statistics (images, k); NaN if no image counts."""

    @abstractmethod
    def per_image(self, statistics: Floats) -> Floats:
        """The score of each single image, `float64 (images,)`; NaN where it is skipped."""

    @abstractmethod
    def per_class(self, statistics: Floats) -> Floats:
        """The score of each class over all images, `float64 (classes,)`; NaN for classes without a score."""

    @abstractmethod
    def of_draws(self, statistics: Floats, counts: Floats) -> Floats:
        """The scores of resampled sets, `float64 (sets,)`; `counts` (sets, images) is how often each has an image."""

    @property
    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest score that is possible."""
        return 0.0, 1.0

    @property
    def needs_objects(self) -> bool:
        """Whether it uses the true objects."""
        return False

    @property
    def counts_areas(self) -> bool:
        """Whether the statistics of an image are the areas of its classes, flat: (4·classes,); see `AREAS`."""
        return False

    @property
    def tells_classes_apart(self) -> bool:
        """Whether `per_class` has scores."""
        return True

    @property
    def needs_probabilities(self) -> bool:
        """Whether it compares probabilities instead of masks, so that no recipe changes it."""
        return False

    def is_better(self, score: float, other: float) -> bool:
        """Whether a score is better than another; NaN is worse than any number."""
        if math.isnan(score) or math.isnan(other):
            return math.isnan(other) and not math.isnan(score)
        return score > other if self.direction == "max" else score < other

    def for_class(self, index: int, name: str | None = None) -> Self:
        """This metric restricted to one class, labelled with its name, for example `iou[road]`; else its index.

        Raises:
            ValueError: there is no class with this index.
        """
        if not 0 <= index < self.classes:
            raise ValueError(out_of_range("class", index, self.classes))
        return replace(self, label=class_label(self.label, name or str(index)), chosen=(index,))

    def true_of_images(self, statistics: Floats) -> Floats | None:
        """The true pixels or objects of each image and class, (images, classes); None if that is unknown."""
        return None

    def shown(self, truth: Floats) -> Mask:
        """Which classes have a score in sets of images, `bool (…, classes)`: those of which any image shows a pixel.

        `truth`, (…, classes), are the true pixels or objects of the sets. Where a set shows no class, all have a score,
        and always with `counts_unseen`.
        """
        if self.counts_unseen:
            return np.ones(truth.shape, np.bool_)
        return np.asarray((truth > 0) | ~(truth > 0).any(axis=-1, keepdims=True))

    def counted(self, truth: Floats) -> Mask:
        """The classes that the scores of sets of images count, `bool (…, classes)`: those that are chosen and shown.

        A class that no image shows would lift the mean: to leave it out of every prediction is no merit. Where no
        chosen class is shown, all of them count, so that empty masks have their score. `truth` is that of `shown`.
        """
        chosen = np.ones(self.classes, np.bool_)
        if self.chosen is not None:
            chosen[:] = False
            chosen[list(self.chosen)] = True
        both = self.shown(truth) & chosen
        return np.where(both.any(axis=-1, keepdims=True), both, chosen)

    def truth_of_set(self, statistics: Floats) -> Floats:
        """The true pixels or objects of each class in a set of images, (classes,); 1 for all if that is unknown."""
        truth = self.true_of_images(statistics)
        return np.ones(self.classes) if truth is None else np.asarray(truth.sum(axis=0), np.float64)


@dataclass(frozen=True)
class PairMetric(Metric):
    """The mean of the scores of all pairs of image and class."""

    @abstractmethod
    def pairs(self, statistics: Floats) -> Floats:
        """The score of each image and class, `float64 (images, classes)`; NaN where the pair is skipped."""

    def counted_pairs(self, statistics: Floats) -> Floats:
        """The score of each image and class that counts, `float64 (images, counted)`; NaN where the pair is skipped."""
        return self.pairs(statistics)[:, self.counted(self.truth_of_set(statistics))]

    def score(self, statistics: Floats) -> float:
        """The mean over all pairs that are not skipped."""
        return mean(self.counted_pairs(statistics).ravel())

    def per_image(self, statistics: Floats) -> Floats:
        """The mean over the classes of each image that count in the whole set."""
        pairs = self.counted_pairs(statistics)
        return pairs[:, 0] if pairs.shape[1] == 1 else np.array([mean(row) for row in pairs], np.float64)

    def per_class(self, statistics: Floats) -> Floats:
        """The mean over the images of each class; NaN for classes that no image shows."""
        found = np.array([mean(column) for column in self.pairs(statistics).T], np.float64)
        return np.where(self.shown(self.truth_of_set(statistics)), found, np.nan)

    def of_draws(self, statistics: Floats, counts: Floats) -> Floats:
        """The mean over all pairs that are not skipped, of the classes that count in each set."""
        pairs, truth = self.pairs(statistics), self.true_of_images(statistics)
        there = ~np.isnan(pairs)
        truth = np.ones_like(pairs) if truth is None else truth
        weights = self.counted(counts @ truth)
        totals = (counts @ np.where(there, pairs, 0) * weights).sum(axis=1)
        numbers = (counts @ there * weights).sum(axis=1)
        return np.where(numbers == 0, np.nan, totals / np.maximum(numbers, 1))


@dataclass(frozen=True)
class MetricArgument:
    """A number that config.yaml may set for a metric; `above` and `below` are the bounds that it must not reach."""

    default: float
    description: str
    above: float | None = None
    below: float | None = None


@dataclass(frozen=True)
class MetricKind:
    """The registry's entry of a metric.

    Attributes:
        empty: default of the score of empty masks.
        build: builds the metric from the label, the number of classes and the activation, then `empty` and the
            arguments by name.
        arguments: what config.yaml may set beside `empty`, by name.
    """

    empty: Empty
    build: Callable[..., Metric]
    arguments: Mapping[str, MetricArgument] = field(default_factory=dict)

    def built(self, label: str, classes: int, activation: Activation, **arguments: Any) -> Metric:
        """The metric with these arguments, and the defaults of the others."""
        defaults = {name: argument.default for name, argument in self.arguments.items()}
        return self.build(label, classes, activation, **{"empty": self.empty, **defaults, **arguments})

    def of_masks(self, prediction: Mask, truth: Mask, **arguments: Any) -> float:
        """Score a single predicted mask against the truth, both `bool (height, width)`."""
        metric = self.built("", 1, "sigmoid", **arguments)
        return metric.score(metric.measure(case_of(prediction[..., None], truth.view(np.uint8), "sigmoid"))[None])
