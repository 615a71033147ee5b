"""How much better the mean of the folds may be than single folds, whose out-of-fold scores are known."""

import math
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
    """

    variance: Floats
    single: Integers | None = None
    mean: Integers | None = None


class FoldVotes:
    """Gathers how far the untuned masks of folds differ on the same images."""

    def __init__(self, classes: int, folds: int) -> None:
        self._folds = folds
        self._pixels = 0
        self._variances: Floats = np.zeros(classes, np.float64)

    def add(self, votes: Votes) -> None:
        """Add an image or tile."""
        shares = votes / self._folds
        self._variances += (shares * (1 - shares)).sum(axis=(0, 1))
        self._pixels += votes.shape[0] * votes.shape[1]

    @property
    def variance(self) -> Floats:
        """The variance of a vote (1 or 0) among the folds, on average over pixels, `float64 (classes,)`."""
        return self._variances / max(1, self._pixels)


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
