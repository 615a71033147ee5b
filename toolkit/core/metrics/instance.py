"""Metrics of objects: predicted and true objects are matched at ten thresholds of IoU."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from toolkit.core.arrays import Floats, Integers, Objects
from toolkit.core.masks.labels import Activation
from toolkit.core.masks.objects import components
from toolkit.core.metrics.metric import EMPTY_SCORES, Case, Empty, Metric, MetricKind, PairMetric

_TWENTIETHS = np.arange(10, 20)
_STATISTICS = len(_TWENTIETHS) + 2


def matches(predicted: Objects, truth: Objects) -> Integers:
    """Match the objects of two maps of equal size; the numbers of objects may have gaps.

    Returns:
        `int64 (12,)`: the pairs of a predicted and a true object whose IoU exceeds 0.50, 0.55, …, 0.95, then the number
        of predicted and of true objects. Above 0.5 no object belongs to two pairs, because objects of one map do not
        overlap. Comparisons are strict and in integer arithmetic.
    """
    areas = np.bincount(truth.ravel())
    return np.array([*hits_by_object(predicted, truth, areas).sum(axis=0), np.count_nonzero(areas[1:])], np.int64)


def hits_by_object(predicted: Objects, truth: Objects, areas: Integers) -> Integers:
    """The contribution of each predicted object to the counts of `matches`.

    Args:
        predicted: `int32 (height, width)`, in an image or a window of it.
        truth: the same for true objects.
        areas: areas of the true objects by number in the whole image, `int64 (objects,)`.

    Returns:
        `int64 (objects, 11)`: which of the ten IoU thresholds its pair exceeds, and whether an object with this number
        exists. Entry 0 is the background.
    """
    rows, columns = int(predicted.max(initial=0)) + 1, len(areas)
    if rows * columns <= max(predicted.size, 1 << 16):
        # A table of all pairs, background included, is fastest.
        table = np.bincount((predicted * np.int32(columns) + truth).ravel(), minlength=rows * columns)
        table = table.reshape(rows, columns)
        sizes = table.sum(axis=1)
        first, second = np.nonzero(table[1:, 1:])
        first, second = first + 1, second + 1
        shared = table[first, second]
    else:
        sizes = np.bincount(predicted.ravel())
        both = (predicted > 0) & (truth > 0)
        found, shared = np.unique(predicted[both].astype(np.int64) * columns + truth[both], return_counts=True)
        first, second = found // columns, found % columns
    union = sizes[first] + areas[second] - shared
    counts = np.zeros((rows, _STATISTICS - 1), np.int64)
    above_half = 2 * shared > union  # at most once for each object
    first, shared, union = first[above_half], shared[above_half], union[above_half]
    counts[first, :-1] = 20 * shared[:, None] > _TWENTIETHS * union[:, None]
    counts[1:, -1] = sizes[1:] > 0
    return counts


def matches_above(predicted: Objects, truth: Objects, sizes: Integers, minimum_sizes: Integers) -> Integers:
    """The counts of `matches` after predicted objects below a minimum size are removed, for several minimum sizes.

    Args:
        predicted: `int32 (height, width)`.
        truth: the same for true objects.
        sizes: sizes of the predicted objects by number, `int64 (objects,)`; entry 0 is the background.
        minimum_sizes: `int64 (n,)`, ascending.

    Returns:
        `int64 (n, 12)`.
    """
    areas = np.bincount(truth.ravel())
    found = np.zeros((len(minimum_sizes), _STATISTICS), np.int64)
    by_object = hits_by_object(predicted, truth, areas)  # shorter than `sizes` if ignored pixels hide the last objects
    found[:, :-1] = (sizes >= minimum_sizes[:, None])[:, : len(by_object)].astype(np.int64) @ by_object
    found[:, -1] = np.count_nonzero(areas[1:])
    return found


@dataclass(frozen=True, kw_only=True)
class InstanceMetric(PairMetric):
    """Mean over ten IoU thresholds of a score of true positives, false positives and false negatives among objects.

    The score is (1+β²)·TP / ((1+β²)·TP + β²·FN + FP) with `beta`, and TP / (TP + FN + FP) without. The first is the
    metric of Airbus (β = 2, https://www.kaggle.com/c/airbus-ship-detection/overview/evaluation), the second that of the
    Data Science Bowl 2018 (https://www.kaggle.com/c/data-science-bowl-2018/overview/evaluation). `empty` is the score
    of an image without any true or predicted object.
    """

    beta: float | None = None
    empty: Empty = "one"

    @property
    def needs_objects(self) -> bool:
        """True: objects are what is scored."""
        return True

    def measure(self, case: Case) -> Floats:
        """The counts of `matches` for each class, flat: (12·classes,)."""
        return np.concatenate([self._of_class(case, index) for index in range(self.classes)]).astype(np.float64)

    def true_of_images(self, statistics: Floats) -> Floats:
        """The true objects of each image and class."""
        return np.asarray(statistics.reshape(-1, self.classes, _STATISTICS)[..., -1], np.float64)

    def pairs(self, statistics: Floats) -> Floats:
        """The mean over thresholds for each image and class."""
        counts = np.asarray(statistics, np.int64).reshape(len(statistics), self.classes, _STATISTICS)
        hits, predicted, truth = counts[..., :-2], counts[..., -2:-1], counts[..., -1:]
        if self.beta is None:
            scores = hits / np.maximum(predicted + truth - hits, 1)
        else:
            square = self.beta**2
            scores = (1 + square) * hits / np.maximum(predicted + square * truth, 1)
        return np.where((predicted + truth)[..., 0] == 0, EMPTY_SCORES[self.empty], scores.mean(axis=-1))

    def _of_class(self, case: Case, index: int) -> Integers:
        # Ignored pixels are removed after the objects are found, because they must not divide an object.
        found = components(case.whole_prediction[..., index]) if case.predicted is None else case.predicted[..., index]
        predicted = found if case.valid.all() else np.where(case.valid, found, 0)
        return matches(predicted.astype(np.int32, copy=False), true_objects(case, index))


def true_objects(case: Case, index: int) -> Objects:
    """The true objects of a class, `int32 (height, width)`, 0 in ignored pixels: known or connected ones."""
    plane = case.truth[..., index]
    known = components(plane) if case.objects is None else case.objects
    return np.where(plane, known, 0).astype(np.int32, copy=False)


def _by_object(beta: float | None, label: str, classes: int, activation: Activation, *, empty: Empty) -> Metric:
    return InstanceMetric(label, classes, beta=beta, empty=empty)


INSTANCE_METRICS: dict[str, MetricKind] = {
    "instance_map": MetricKind("one", partial(_by_object, None)),
    "airbus_f2": MetricKind("one", partial(_by_object, 2.0)),
}
"""The metrics of objects by the name that config.yaml uses."""
