"""Metrics of stacks of slices: images that are layers of one volume are measured together."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import KDTree

from toolkit.core.arrays import Floats
from toolkit.core.masks.labels import Activation
from toolkit.core.metrics.metric import EMPTY_SCORES, Case, Empty, Metric, MetricKind

Volume = npt.NDArray[np.bool_]
"""The pixels of any class in all slices of a stack, `(slices, height, width)`."""

_DICE, _HAUSDORFF = 0.4, 0.6


def hausdorff(one: Volume, other: Volume) -> float:
    """The Hausdorff distance of two volumes whose sides are scaled to 1, divided by the diagonal: 0–1.

    0 for equal volumes, NaN if both are empty, and 1 if one is.
    """
    if not one.any() and not other.any():
        return math.nan
    if not one.any() or not other.any():
        return 1.0
    (box,) = ndimage.find_objects((one | other).astype(np.int8))  # nothing is nearer outside of it
    sides = np.array(one.shape)
    return max(_directed(one[box], other[box], sides), _directed(other[box], one[box], sides)) / math.sqrt(3)


def _directed(one: Volume, other: Volume, sides: npt.NDArray[np.int64]) -> float:
    """The largest distance of a voxel of one volume from the other; `sides` are those that are scaled to 1."""
    outside = _places(one & ~other, sides)
    if not len(outside):
        return 0.0
    surface = _places(other & ~ndimage.binary_erosion(other), sides)
    distances, _ = KDTree(surface).query(outside)
    return float(distances.max())


def _places(voxels: Volume, sides: npt.NDArray[np.int64]) -> Floats:
    places: Floats = np.argwhere(voxels) / sides
    return places


@dataclass(frozen=True, kw_only=True)
class DiceHausdorff(Metric):
    """0.4 · Dice + 0.6 · (1 − Hausdorff distance).

    Dice is the mean over the pairs of image and class that are not skipped, the Hausdorff distance that over the stacks
    in which at least one mask has a pixel, the masks of all classes united. `stack` is a regular expression whose
    parenthesised part names the stack of an image; without one, or for ids that do not match, each image is a stack by
    itself.

    The metric of the UW-Madison GI Tract competition
    (https://www.kaggle.com/competitions/uw-madison-gi-tract-image-segmentation/overview/evaluation). Its page does not
    say whether classes are united; the grader of MLE-bench (https://github.com/openai/mle-bench) unites them.
    """

    stack: str | None = None
    empty: Empty = "skip"

    def stack_of(self, image_id: str) -> str:
        """The name of the stack of an image."""
        found = None if self.stack is None else re.fullmatch(self.stack, image_id)
        return image_id if found is None else found[1]

    def measure(self, case: Case) -> Floats:
        """The statistics of an image that is a stack by itself."""
        return self.measure_stack([case])[0]

    def measure_stack(self, cases: Sequence[Case]) -> list[Floats]:
        """The statistics of the slices of a stack, in their order.

        For each slice: Dice of each class, whether each counts, the slice's share of the stack's distance, and whether
        that counts, `float64 (2·classes + 2,)`.

        Raises:
            ValueError: the slices differ in size.
        """
        counted = range(self.classes) if self.chosen is None else self.chosen
        prediction, truth = (
            np.logical_or.reduce(np.stack(planes)[..., list(counted)], axis=-1)
            for planes in zip(*((it.prediction, it.truth) for it in cases), strict=True)
        )
        distance = hausdorff(prediction, truth)
        counts = not math.isnan(distance)
        ends = np.array([distance if counts else 0.0, counts], np.float64) / len(cases)
        return [np.concatenate([*self._dice(case), ends]) for case in cases]

    def score(self, statistics: Floats) -> float:
        """The score of a set of whole stacks."""
        return float(self._of(_summed(statistics)))

    def per_image(self, statistics: Floats) -> Floats:
        """The Dice of each image with the distance of its stack."""
        return self._of(statistics)

    def per_class(self, statistics: Floats) -> Floats:
        """The Dice of each class with the distance of the united classes."""
        return self._weighted(_summed(statistics), [[number] for number in range(self.classes)])

    def of_draws(self, statistics: Floats, counts: Floats) -> Floats:
        """The scores of drawn sets; exact where whole stacks are drawn."""
        return self._of(counts @ statistics)

    def _dice(self, case: Case) -> tuple[Floats, Floats]:
        both, predicted, true = case.areas[:, 0], case.areas[:, 1], case.areas[:, 2]
        total = predicted + true
        scores = np.where(total == 0, EMPTY_SCORES[self.empty], 2 * both / np.maximum(total, 1))
        return np.nan_to_num(scores), (~np.isnan(scores)).astype(np.float64)

    def _of(self, statistics: Floats) -> Floats:
        return self._weighted(statistics, list(range(self.classes) if self.chosen is None else self.chosen))

    def _weighted(self, sums: Floats, classes: list[int] | list[list[int]]) -> Floats:
        """Scores of classes from sums (…, 2·classes + 2).

        NaN where no pair has a Dice, and without the distance where no stack has one.
        """
        dice, pairs = (
            sums[..., start : start + self.classes][..., classes].sum(axis=-1) for start in (0, self.classes)
        )
        distance, stacks = sums[..., -2], sums[..., -1]
        near = 1 - np.where(stacks > 0, distance, 0) / np.where(stacks > 0, stacks, 1)
        return np.where(pairs > 0, _DICE * dice / np.where(pairs > 0, pairs, 1) + _HAUSDORFF * near, np.nan)


def _summed(statistics: Floats) -> Floats:
    """The sums over the images, exact, so that their order does not matter."""
    return np.array([math.fsum(column) for column in statistics.T.tolist()], np.float64)


def _dice_hausdorff(label: str, classes: int, activation: Activation, *, empty: Empty) -> Metric:
    return DiceHausdorff(label, classes, empty=empty)


STACK_METRICS = {"dice_hausdorff": MetricKind("skip", _dice_hausdorff)}
"""The metrics of stacks by the name that config.yaml uses."""
