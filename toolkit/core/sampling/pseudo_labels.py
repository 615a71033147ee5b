"""Labels that networks made: what of them is learnt, and how often they are drawn."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Integers, Labels
from toolkit.core.masks.labels import IGNORE, Activation, labels_of_masks
from toolkit.core.randomness import generator

Levels = npt.NDArray[np.uint8]
"""Probabilities as levels 0–255, `uint8 (height, width, classes)`."""

_SOFT = 254
"""The level of probability 1 in soft planes, where `IGNORE` marks ignored pixels."""


@dataclass(frozen=True)
class LabelRule:
    """How probabilities become targets.

    Attributes:
        activation: of the classes.
        bands: for each class the probability up to which it is absent, and from which it is present: pixels of which
            this is not known for every class are ignored; None if none are.
        soft: whether probabilities are learnt, and not masks.
        weight: of the pixels in the loss, above 0, at most 1.
    """

    activation: Activation
    bands: tuple[tuple[float, float], ...] | None
    soft: bool
    weight: float = 1.0

    @property
    def is_weighted(self) -> bool:
        """Whether the pixels count less than those of other images."""
        return self.weight != 1

    @property
    def is_fractional(self) -> bool:
        """Whether targets are fractions, or have a weight."""
        return self.soft or self.is_weighted

    def labels(self, levels: Levels) -> Labels:
        """The certain class of each pixel, `uint8 (height, width)`, `IGNORE` where it is not certain."""
        present, known = self._present_and_known(levels)
        labels = labels_of_masks(present, self.activation)
        labels[~known] = IGNORE
        return labels

    def plane(self, levels: Levels, number: int) -> npt.NDArray[np.uint8]:
        """The probability of one class, `uint8 (height, width)`: 0–254, and `IGNORE` in ignored pixels."""
        plane: npt.NDArray[np.uint8] = np.rint(levels[..., number] * np.float32(_SOFT / 255)).astype(np.uint8)
        if self.bands is not None:
            plane[~self._present_and_known(levels)[1]] = IGNORE
        return plane

    def targets(self, planes: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.float32]:
        """Targets `float32 (height, width, classes)`, 0–1, 255 in ignored pixels, from augmented planes of all classes.

        Pixels that were moved in from outside the image are background.
        """
        stacked = np.stack(planes, axis=-1)
        ignored = (stacked == IGNORE).any(axis=-1)
        targets = stacked.astype(np.float32) / np.float32(_SOFT)
        if self.activation == "softmax":
            targets[~stacked.any(axis=-1), 0] = 1
            targets /= targets.sum(axis=-1, keepdims=True)
        targets[ignored] = IGNORE
        return targets

    def with_weights(self, targets: npt.NDArray[np.generic], *, pseudo: bool) -> npt.NDArray[np.generic]:
        """Targets (height, width, classes) in the type of all samples of the stage, with the weight as a last plane."""
        if not self.is_fractional:
            return targets
        fractions = targets.astype(np.float32)
        if not self.is_weighted:
            return fractions
        weights = np.full((*targets.shape[:2], 1), self.weight if pseudo else 1, np.float32)
        return np.concatenate([fractions, weights], axis=-1)

    def _present_and_known(self, levels: Levels) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Where each class is present, `bool (height, width, classes)`, and where all is known, without this axis."""
        low, high = np.array(self.bands or ((0.5, 0.5),) * levels.shape[2]).T
        probability = levels / 255
        present, absent = probability >= high, probability <= low
        # Where both thresholds are the same, it may be both.
        known = (present | absent).all(axis=-1)
        if self.activation == "softmax":
            known &= present.sum(axis=-1) == 1
        return present, known


def added_samples(own: int, share: float) -> int:
    """How many samples join `own` samples of an epoch so that they are a share (0–1) of all; at least one."""
    return max(1, round(own * share / (1 - share))) if own else 0


def draw_evenly(positions: Integers, count: int, *draw: int) -> Integers:
    """Draw `count` of the positions, ascending: each equally often, and the remainder at random without repetition.

    `draw` has the numbers that the draw derives from, (seed, fold, stage, epoch).
    """
    if not len(positions):
        return positions
    repeats, rest = divmod(count, len(positions))
    random = generator("pseudo-labelled", *draw)
    return np.sort(np.concatenate([np.tile(positions, repeats), random.permutation(positions)[:rest]]))
