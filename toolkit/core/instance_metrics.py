"""Metrics of objects: which predicted objects hit which true ones, at ten thresholds of their IoU."""

from dataclasses import dataclass

import numpy as np

from toolkit.core.arrays import Floats, Integers
from toolkit.core.measuring import Case, Empty, Objects, PairMetric
from toolkit.core.objects import components

_TWENTIETHS = np.arange(10, 20)
_STATISTICS = len(_TWENTIETHS) + 2


def matches(predicted: Objects, truth: Objects) -> Integers:
    """Compare two maps of objects of one size, whose numbers may have gaps.

    Returns:
        `int64 (12,)`: how many pairs of a predicted and a true object exceed the IoU 0.50, 0.55, …, 0.95, then the
        count of predicted objects and that of true ones. Above 0.5 no object belongs to two pairs, as objects of one
        map share no pixel; the comparison is strict and in whole numbers.
    """
    areas_predicted, areas_true = np.bincount(predicted.ravel()), np.bincount(truth.ravel())
    both = (predicted > 0) & (truth > 0)
    first, second, shared = _overlaps(predicted[both], truth[both], len(areas_true))
    union = areas_predicted[first] + areas_true[second] - shared
    hits = (20 * shared[:, None] > _TWENTIETHS * union[:, None]).sum(axis=0)
    return np.array([*hits, np.count_nonzero(areas_predicted[1:]), np.count_nonzero(areas_true[1:])], np.int64)


def matches_above(predicted: Objects, truth: Objects, sizes: Integers, minimum_sizes: Integers) -> Integers:
    """What `matches` counts if only those predicted objects are there that are large enough.

    Args:
        predicted: `int32 (height, width)`.
        truth: of the same size.
        sizes: of the predicted objects by number, `int64 (objects,)`; entry 0 is the background's.
        minimum_sizes: `int64 (n,)`, ascending.

    Returns:
        `int64 (n, 12)`.
    """
    areas_predicted, areas_true = np.bincount(predicted.ravel(), minlength=len(sizes)), np.bincount(truth.ravel())
    both = (predicted > 0) & (truth > 0)
    first, second, shared = _overlaps(predicted[both], truth[both], len(areas_true))
    union = areas_predicted[first] + areas_true[second] - shared
    counts = np.zeros((len(sizes), _STATISTICS), np.int64)
    np.add.at(counts, first, np.pad(20 * shared[:, None] > _TWENTIETHS * union[:, None], ((0, 0), (0, 2))))
    counts[1:, -2] = areas_predicted[1:] > 0
    large = sizes >= minimum_sizes[:, None]
    large[:, 0] = False
    found: Integers = large.astype(np.int64) @ counts
    found[:, -1] = np.count_nonzero(areas_true[1:])
    return found


def _overlaps(predicted: Objects, truth: Objects, numbers: int) -> tuple[Integers, Integers, Integers]:
    """Pairs of objects that share pixels, and how many; `numbers` is one more than the largest number in `truth`."""
    pairs = predicted.astype(np.int64) * numbers + truth
    if pairs.size and pairs.max() <= 1 << 22:
        counts = np.bincount(pairs)
        found = np.flatnonzero(counts)
        shared = counts[found]
    else:  # a mask of noise has so many objects that a table of all pairs would not fit
        found, shared = np.unique(pairs, return_counts=True)
    return found // numbers, found % numbers, shared.astype(np.int64)


@dataclass(frozen=True, kw_only=True)
class InstanceMetric(PairMetric):
    """Mean over ten IoU thresholds of a score of true and false positives and negatives, for each image and class.

    The score is (1+β²)·TP / ((1+β²)·TP + β²·FN + FP) for a number `beta`, and TP / (TP + FN + FP) without one. The
    first is that of Airbus (β = 2, https://www.kaggle.com/c/airbus-ship-detection/overview/evaluation), the second that
    of the Data Science Bowl 2018 (https://www.kaggle.com/c/data-science-bowl-2018/overview/evaluation). `empty` is what
    an image without any true or predicted object scores.
    """

    beta: float | None = None
    empty: Empty = "one"

    @property
    def needs_objects(self) -> bool:
        """Yes."""
        return True

    def measure(self, case: Case) -> Floats:
        """What `matches` counts for each class, flat: (12·classes,)."""
        return np.concatenate([self._of_class(case, index) for index in range(self.classes)]).astype(np.float64)

    def pairs(self, statistics: Floats) -> Floats:
        """The mean over thresholds of each image and class."""
        counts = np.asarray(statistics, np.int64).reshape(len(statistics), self.classes, _STATISTICS)
        hits, predicted, truth = counts[..., :-2], counts[..., -2:-1], counts[..., -1:]
        if self.beta is None:
            scores = hits / np.maximum(predicted + truth - hits, 1)
        else:
            square = self.beta**2
            scores = (1 + square) * hits / np.maximum(predicted + square * truth, 1)
        nothing = {"one": 1.0, "zero": 0.0, "skip": np.nan}[self.empty]
        return np.where((predicted + truth)[..., 0] == 0, nothing, scores.mean(axis=-1))

    def _of_class(self, case: Case, index: int) -> Integers:
        # Void is taken away after the objects are found: it must not divide one into two.
        ours = components(case.whole_prediction[..., index]) if case.predicted is None else case.predicted[..., index]
        predicted = np.where(case.valid, ours, 0)
        plane = case.truth[..., index]
        known = components(plane) if case.objects is None else case.objects
        return matches(predicted.astype(np.int32), np.where(plane, known, 0).astype(np.int32))
