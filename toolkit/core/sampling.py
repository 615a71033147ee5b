"""Which images an epoch trains on: all positives, and as many negatives as were asked for."""

from typing import Literal

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Integers
from toolkit.core.randomness import generator

Negatives = Literal["none", "real"] | float
"""`none`, `real` (all of them), or a number of negatives per positive."""


def select_images(has_foreground: npt.NDArray[np.bool_], negatives: Negatives, *draw: int) -> Integers:
    """Positions of the images to use, ascending: every positive, and the negatives that the rule asks for.

    With a number r, round(r x positives) negatives are drawn, without repetition as long as there are enough.

    Args:
        has_foreground: `bool (images,)`.
        negatives: the rule.
        draw: what the drawing derives from, for example (seed, fold, stage, epoch).
    """
    positives, empties = np.flatnonzero(has_foreground), np.flatnonzero(~has_foreground)
    if negatives == "none":
        return positives
    if negatives == "real" or not len(empties):
        return np.arange(len(has_foreground))
    wanted = round(float(negatives) * len(positives))
    repeats, rest = divmod(wanted, len(empties))
    drawn = generator("negatives", *draw).permutation(len(empties))[:rest]
    return np.sort(np.concatenate([positives, np.tile(empties, repeats), empties[drawn]]))


def shuffled_batches(positions: Integers, batch: int, *draw: int) -> list[Integers]:
    """Shuffle positions and cut them into batches of nearly equal size, none larger than `batch`.

    Nearly equal, because a last batch of one or two images would spoil the statistics of batch normalisation.
    """
    shuffled = generator("order", *draw).permutation(positions)
    return np.array_split(shuffled, max(1, -(-len(positions) // batch)))
