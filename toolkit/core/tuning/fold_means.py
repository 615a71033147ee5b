"""How much better the mean of the folds may be than single folds, whose out-of-fold scores are known."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Floats, Integers
from toolkit.core.metrics.metric import Direction

Votes = npt.NDArray[np.uint16]
"""In how many folds each pixel is in the mask of each class, (height, width, classes)."""


@dataclass(frozen=True, eq=False)
class FoldSpread:
    """How the maps of single folds differ from their mean, on the same images.

    Attributes:
        variance: see `FoldVotes.variance`.
        single: how many pixels of the maps of single folds have each level, summed over the folds,
            `int64 (classes, 256)`; None if this is not known.
        mean: the same for the mean of the folds.
        disagreement: see `FoldVotes.disagreement`; None if this is not known.
    """

    variance: Floats
    single: Integers | None = None
    mean: Integers | None = None
    disagreement: Integers | None = None


class FoldVotes:
    """Gathers how far the untuned masks of folds differ on the same images."""

    def __init__(self, classes: int, folds: int) -> None:
        self._folds = folds
        self._pixels = 0
        self.disagreement: Integers = np.zeros(classes, np.int64)
        """Folds that vote for a pixel times those that do not, summed over pixels, `int64 (classes,)`.

        Whole numbers, so that their sum does not depend on the order of images.
        """

    def add(self, votes: Votes) -> None:
        """Add an image or tile."""
        products = np.multiply(votes, self._folds - votes, dtype=np.int64)
        self.disagreement += products.sum(axis=(0, 1))
        self._pixels += votes.shape[0] * votes.shape[1]

    @property
    def variance(self) -> Floats:
        """The variance of a vote (1 or 0) among the folds, on average over pixels, `float64 (classes,)`."""
        return _variance(self.disagreement, self._folds, self._pixels)


def joined_spread(parts: Sequence[FoldSpread | None], folds: int) -> FoldSpread | None:
    """What was counted in parts of the images, together; it does not depend on how the images are divided.

    None if something was not counted in a part, or there is none.
    """
    counts = [None if one is None else (one.single, one.mean, one.disagreement) for one in parts]
    known = [found for found in counts if found is not None and all(one is not None for one in found)]
    if not known or len(known) < len(parts):
        return None
    single, mean, disagreement = (np.stack(found).sum(axis=0) for found in zip(*known, strict=True))
    return FoldSpread(_variance(disagreement, folds, int(mean[0].sum())), single, mean, disagreement)


def _variance(disagreement: Integers, folds: int, pixels: int) -> Floats:
    return disagreement / (folds**2 * max(1, pixels))


def gain_of_mean(score: float, share: float, direction: Direction) -> float:
    """How much better the mean of the folds may score than single folds.

    The squared error of a mean is that of its members, on average, less the variance among them (Krogh and Vedelsby,
    Neural Network Ensembles, Cross Validation, and Active Learning, NIPS 1994). Where folds vote, the squared error of
    one is the share of its wrong pixels, and the variance of the votes needs no truth. If wrong pixels become fewer by
    this share of them while those that are right remain, a Dice or IoU of s becomes s / (s + (1 - s)(1 - share)). For
    other metrics this is a rough guide.

    Args:
        score: of single folds.
        share: variance of the votes over the share of wrong pixels, cut to 0–1.
        direction: of the metric. If less is better, the score itself is an error, and becomes smaller by the share.

    Returns:
        The gain, more being better; 0 where the score is not one of 0–1.
    """
    share = min(max(share, 0.0), 1.0)
    if not math.isfinite(score) or not 0 <= score <= 1:
        return 0.0
    if direction == "min":
        return score * share
    wrong = (1 - score) * (1 - share)
    return score / (score + wrong) - score if score else 0.0
