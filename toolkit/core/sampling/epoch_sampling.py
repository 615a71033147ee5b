"""Which images an epoch trains on: the positives, and as many negatives as were asked for."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Floats, Integers
from toolkit.core.randomness import generator

AREA_BINS = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Edges of the bins of foreground coverage over which positives can be evened out."""


@dataclass(frozen=True)
class Negatives:
    """How many images without any foreground are used.

    `none`, `real` (all there are), `per_positive`: a number for each positive, or `positive_share`: so many that the
    positives are this share of all. The last two go linearly from `start` in the first epoch to `end` in the last.
    """

    kind: Literal["none", "real", "per_positive", "positive_share"]
    start: float = 0.0
    end: float = 0.0

    def count(self, positives: int, available: int, progress: float) -> int:
        """Number of negatives beside so many positives; `progress` is 0 in the first epoch, 1 in the last."""
        if self.kind == "none":
            return 0
        value = self.start + (self.end - self.start) * progress
        if self.kind == "per_positive":
            return round(value * positives)
        if self.kind == "positive_share":
            return round(positives * (1 - value) / value)
        return available

    def share_of_positives(self, progress: float) -> float | None:
        """Share of the positives among all, where the rule says one; `progress` as in `count`."""
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
    """Positions of the images to use, ascending: the positives, and the negatives that the rule asks for.

    Negatives are drawn without repetition as long as there are enough; if more are asked for, all are taken as often
    as they go into the number, and the rest is drawn.

    Args:
        has_foreground: `bool (images,)`.
        negatives: the rule.
        draw: what the drawing derives from, for example (seed, fold, stage, epoch).
        progress: share of the epochs that is done, 0 in the first one, 1 in the last.
        groups: `bool (images, groups)`, which positive belongs to which groups, such as area bins or classes. As many
            positives as there are get drawn, equally often from every group that has any; otherwise each is taken once.
        weights: `float64 (images,)`, above 0: negatives are drawn with probabilities in proportion.
        shares: `float64 (images,)`, from 0: how often images are drawn, in proportion, see `in_proportion`. It is among
            the positives, as many as there are, and among the negatives, as many as the rule says; among both together
            where it says all.
    """
    positives, empties = np.flatnonzero(has_foreground), np.flatnonzero(~has_foreground)
    wanted = negatives.count(len(positives), len(empties), progress) if len(empties) else 0
    if shares is not None and negatives.kind == "real" and groups is None:
        return in_proportion(np.arange(len(shares)), len(shares), shares, *draw)
    if groups is not None:
        positives = _evened_out(positives, groups, *draw, shares=shares)
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
    """Bins of `AREA_BINS` that images fall into by their foreground coverage, `bool (images, bins)`; none if empty."""
    bins = np.digitize(coverage, AREA_BINS[1:-1], right=True)
    groups: npt.NDArray[np.bool_] = (bins[:, None] == np.arange(len(AREA_BINS) - 1)) & (coverage > 0)[:, None]
    return groups


def in_proportion(positions: Integers, count: int, shares: Floats, *draw: int) -> Integers:
    """Draw positions so often as their shares say, ascending; none if all shares are 0.

    Each is drawn the whole number of times below or above `count` × its part of all shares, as systematic sampling
    does (https://en.wikipedia.org/wiki/Systematic_sampling), and on the average just so often.
    """
    random = generator("shares", *draw)
    order = random.permutation(positions[shares[positions] > 0])
    if not count or not len(order):
        return positions[:0]
    total = shares[order].sum()
    ends = np.cumsum(shares[order]) / total * count
    ends[-1] = count
    times = np.diff(np.floor(ends + random.random()), prepend=0).astype(np.int64)
    return np.sort(np.repeat(order, times))


def shuffled_batches(positions: Integers, batch: int, *draw: int, groups: Integers | None = None) -> list[Integers]:
    """Shuffle positions and cut them into batches of nearly equal size, none larger than `batch`.

    Nearly equal, because a last batch of one or two images would spoil the statistics of batch normalisation. With
    `groups`, one for each position, those of a group come one after the other.
    """
    random = generator("order", *draw)
    order = random.permutation(len(positions))
    if groups is not None:
        turn = random.permutation(groups.max(initial=0) + 1)
        order = order[np.argsort(turn[groups[order]], kind="stable")]
    shuffled = positions[order]
    return np.array_split(shuffled, max(1, -(-len(positions) // batch)))


def _evened_out(
    positives: Integers, groups: npt.NDArray[np.bool_], *draw: int, shares: Floats | None = None
) -> Integers:
    """As many draws as there are positives, equally many from each group; a group that is used up begins again.

    With shares, images of a group are drawn in proportion to them.
    """
    members = [positives[groups[positives, group]] for group in range(groups.shape[1])]
    members = [group for group in members if (len(group) if shares is None else shares[group].any())]
    if not members:
        return positives[:0]
    random = generator("positives", *draw)
    # The groups that get one draw more than others change from epoch to epoch.
    parts = np.array([len(part) for part in np.array_split(positives, len(members))])[random.permutation(len(members))]
    drawn = []
    for number, (group, part) in enumerate(zip(members, parts, strict=True)):
        if shares is not None:
            drawn.append(in_proportion(group, int(part), shares, *draw, number))
            continue
        repeats, rest = divmod(int(part), len(group))
        drawn += [np.tile(group, repeats), random.permutation(group)[:rest]]
    return np.concatenate(drawn)
