"""How well two lists of scores of the same submissions agree: cross-validation and leaderboard."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from toolkit.core.arrays import Floats
from toolkit.core.randomness import generator

FEWEST = 4
"""With fewer points even perfect agreement is likely by chance: one of the six orders of three points."""

_DRAWS = 20_000
"""Orders that the permutation test draws; up to seven points have no more, and all of them are tried."""


@dataclass(frozen=True)
class Agreement:
    """Correlation and distance of two lists of scores.

    Attributes:
        points: length of both lists.
        spearman: rank correlation; None for fewer than `FEWEST` points, or where one list is constant.
        pearson: linear correlation; None in the same cases.
        chance: share of all orders of the points whose rank correlation is at least as high (one-sided p-value).
        first_spread: standard deviation of the first list; None for a single point.
        second_spread: that of the second.
        gap: mean of the second scores minus the first.
        gap_spread: standard deviation of these differences; None for a single point.
    """

    points: int
    spearman: float | None
    pearson: float | None
    chance: float | None
    first_spread: float | None
    second_spread: float | None
    gap: float
    gap_spread: float | None


def agreement(first: Sequence[float], second: Sequence[float]) -> Agreement:
    """Compare two lists of scores, point by point.

    Raises:
        ValueError: the lists differ in length or are empty.
    """
    if len(first) != len(second) or not first:
        raise ValueError(f"expected two lists of equal length above 0, received {len(first)} and {len(second)}")
    one, other = np.array(first, np.float64), np.array(second, np.float64)
    one_ranks, other_ranks = scipy.stats.rankdata(one), scipy.stats.rankdata(other)
    spearman = _correlation(one_ranks, other_ranks)
    return Agreement(
        points=len(one),
        spearman=spearman,
        pearson=_correlation(one, other),
        chance=None if spearman is None else _chance(one_ranks, other_ranks),
        first_spread=_spread(one),
        second_spread=_spread(other),
        gap=float((other - one).mean()),
        gap_spread=_spread(other - one),
    )


def _correlation(one: Floats, other: Floats) -> float | None:
    if len(one) < FEWEST or np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    return float(np.clip(np.corrcoef(one, other)[0, 1], -1, 1))


def _chance(one: Floats, other: Floats) -> float:
    """The p-value of a permutation test of two lists of ranks against a positive correlation."""

    def product(ranks: Floats, axis: int) -> Floats:
        return np.asarray((ranks * other).sum(axis), np.float64)  # orders permutations as the correlation does

    test = scipy.stats.permutation_test(
        (one,),
        product,
        permutation_type="pairings",
        alternative="greater",
        n_resamples=_DRAWS,
        random_state=generator("agreement", len(one)),
    )
    return float(test.pvalue)


def _spread(values: Floats) -> float | None:
    return float(values.std(ddof=1)) if len(values) > 1 else None
