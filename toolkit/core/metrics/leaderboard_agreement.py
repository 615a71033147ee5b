"""How two lists of scores of the same submissions go together: cross-validation and leaderboard."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.core.arrays import Floats
from toolkit.core.randomness import generator

_EXACT_AT_MOST = 7
_DRAWS = 20_000


@dataclass(frozen=True)
class Agreement:
    """Correlation and distance of two lists of scores.

    A correlation is None where it does not exist: of fewer than three points, or where one list is constant. `chance`
    is the share of all orders of the points whose rank correlation is at least as high: what luck alone gives.
    `gap` is the mean of the second scores minus the first, the spreads are standard deviations (None of one point).
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
        ValueError: they differ in length or are empty.
    """
    if len(first) != len(second) or not first:
        raise ValueError(f"expected two lists of the same length above 0, received {len(first)} and {len(second)}")
    one, other = np.array(first, np.float64), np.array(second, np.float64)
    one_ranks, other_ranks = _ranks(one), _ranks(other)
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
    if len(one) < 3 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    return float(np.clip(np.corrcoef(one, other)[0, 1], -1, 1))


def _ranks(values: Floats) -> Floats:
    """Ranks from 1; equal values share the mean of theirs."""
    below = (values[:, None] > values).sum(axis=1)
    equal = (values[:, None] == values).sum(axis=1)
    ranks: Floats = below + (equal + 1) / 2
    return ranks


def _chance(one: Floats, other: Floats) -> float:
    """Share of the orders of `other` that agree with `one` as well as its own does: of all, or of many random ones."""
    count = len(one)
    if count <= _EXACT_AT_MOST:
        orders = np.array(list(itertools.permutations(other)))
    else:
        random = generator("agreement", count)
        orders = random.permuted(np.tile(other, (_DRAWS, 1)), axis=1)
        orders[0] = other
    # The sum of products orders them just as the correlation does.
    products = orders @ one
    return float((products >= other @ one - 1e-9).mean())


def _spread(values: Floats) -> float | None:
    spread = float(values.std(ddof=1)) if len(values) > 1 else math.nan
    return None if math.isnan(spread) else spread
