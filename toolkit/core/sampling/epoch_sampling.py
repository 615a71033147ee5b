"""The images of an epoch: all positives, and as many negatives as asked for."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Floats, Integers
from toolkit.core.randomness import generator
from toolkit.core.sampling.systematic import systematic_sample

AREA_BINS = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Edges of the bins of foreground coverage from which positives can be drawn equally often."""


@dataclass(frozen=True)
class Negatives:
    """How many negatives (images without any foreground) to use.

    `none`, `real` (all of them), `per_positive` (a number for each positive), or `positive_share` (so many that
    positives are this share of all). The last two change linearly from `start` in the first epoch to `end` in the last.
    """

    kind: Literal["none", "real", "per_positive", "positive_share"]
    start: float = 0.0
    end: float = 0.0

    def count(self, positives: int, available: int, progress: float) -> int:
        """Number of negatives for this number of positives; `progress` is 0 in the first epoch, 1 in the last."""
        if self.kind == "none":
            return 0
        value = self.start + (self.end - self.start) * progress
        if self.kind == "per_positive":
            return round(value * positives)
        if self.kind == "positive_share":
            return round(positives * (1 - value) / value)
        return available

    def share_of_positives(self, progress: float) -> float | None:
        """Share of positives among all; None for `real`. `progress` as in `count`."""
        value = self.start + (self.end - self.start) * progress
        if self.kind == "real":
            return None
        return {"none": 1.0, "per_positive": 1 / (1 + value), "positive_share": value}[self.kind]


NO_NEGATIVES = Negatives("none")
ALL_NEGATIVES = Negatives("real")


def select_images(
    has_foreground: npt.NDArray[np.bool_],
    negatives: Negatives,
    *draw: int,
    progress: float = 0.0,
    groups: npt.NDArray[np.bool_] | None = None,
    weights: Floats | None = None,
    shares: Floats | None = None,
) -> Integers:
    """Select the images of an epoch: their positions, ascending.

    Negatives are drawn without repetition. If more are asked for than exist, each is taken equally often, and the
    remainder is drawn.

    Args:
        has_foreground: `bool (images,)`.
        negatives: the rule for negatives.
        draw: numbers that the random draw derives from, for example (seed, fold, stage, epoch).
        progress: 0 in the first epoch, 1 in the last.
        groups: `bool (images, groups)`, for example area bins or classes. The usual number of positives is drawn, but
            equally often from every group that has any. Without groups, each positive is taken once.
        weights: `float64 (images,)`, above 0: relative probability of drawing each negative.
        shares: `float64 (images,)`, at least 0: relative frequency of each image; see `in_proportion`. It applies
            separately to positives and negatives, whose numbers stay; with the rule `real`, to all images together.
    """
    positives, empties = np.flatnonzero(has_foreground), np.flatnonzero(~has_foreground)
    wanted = negatives.count(len(positives), len(empties), progress) if len(empties) else 0
    if shares is not None and negatives.kind == "real" and groups is None:
        return in_proportion(np.arange(len(shares)), len(shares), shares, *draw)
    if groups is not None:
        positives = _equally_from_groups(positives, groups, *draw, shares=shares)
    elif shares is not None:
        positives = in_proportion(positives, len(positives), shares, *draw)
    if shares is not None:
        combined = shares if weights is None else shares * weights
        return np.sort(np.concatenate([positives, in_proportion(empties, wanted, combined, *draw)]))
    repeats, rest = divmod(wanted, len(empties)) if len(empties) else (0, 0)
    random = generator("negatives", *draw)
    if weights is None:
        drawn = random.permutation(len(empties))[:rest]
    else:
        drawn = random.choice(len(empties), rest, replace=False, p=weights[empties] / weights[empties].sum())
    return np.sort(np.concatenate([positives, np.tile(empties, repeats), empties[drawn]]))


def area_groups(coverage: Floats) -> npt.NDArray[np.bool_]:
    """The bin of `AREA_BINS` of each image by foreground coverage, `bool (images, bins)`; no bin for empty images."""
    bins = np.digitize(coverage, AREA_BINS[1:-1], right=True)
    groups: npt.NDArray[np.bool_] = (bins[:, None] == np.arange(len(AREA_BINS) - 1)) & (coverage > 0)[:, None]
    return groups


def in_proportion(positions: Integers, count: int, shares: Floats, *draw: int) -> Integers:
    """Draw `count` positions in proportion to their shares, ascending; see `systematic_sample`.

    None are drawn if all shares are 0.
    """
    members = positions[shares[positions] > 0]
    if not count or not len(members):
        return positions[:0]
    return np.sort(systematic_sample(members, count, shares, generator("shares", *draw)))


def shuffled_batches(positions: Integers, batch: int, *draw: int, groups: Integers | None = None) -> list[Integers]:
    """Shuffle positions and divide them into batches of nearly equal size, none larger than `batch`.

    Sizes are nearly equal because a last batch of one or two images would spoil the statistics of batch normalisation.
    With `groups`, one for each position, the positions of a group follow each other.
    """
    random = generator("order", *draw)
    order = random.permutation(len(positions))
    if groups is not None:
        turn = random.permutation(groups.max(initial=0) + 1)
        order = order[np.argsort(turn[groups[order]], kind="stable")]
    shuffled = positions[order]
    return np.array_split(shuffled, max(1, -(-len(positions) // batch)))


def _equally_from_groups(
    positives: Integers, groups: npt.NDArray[np.bool_], *draw: int, shares: Floats | None = None
) -> Integers:
    """Draw as many positives as there are, equally many from each group, repeating the images of small groups.

    With shares, the images of a group are drawn in proportion to them.
    """
    members = [positives[groups[positives, group]] for group in range(groups.shape[1])]
    members = [group for group in members if (len(group) if shares is None else shares[group].any())]
    if not members:
        return positives[:0]
    random = generator("positives", *draw)
    # If the draws do not divide evenly, the groups with one more change from epoch to epoch.
    counts = np.array([len(some) for some in np.array_split(positives, len(members))])[random.permutation(len(members))]
    drawn = []
    for number, (group, count) in enumerate(zip(members, counts, strict=True)):
        if shares is not None:
            drawn.append(in_proportion(group, int(count), shares, *draw, number))
            continue
        repeats, rest = divmod(int(count), len(group))
        drawn += [np.tile(group, repeats), random.permutation(group)[:rest]]
    return np.concatenate(drawn)
