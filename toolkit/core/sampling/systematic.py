"""Systematic sampling (https://en.wikipedia.org/wiki/Systematic_sampling)."""

import numpy as np

from toolkit.core.arrays import Floats, Integers


def systematic_sample(members: Integers, count: int, shares: Floats, random: np.random.Generator) -> Integers:
    """Draw members in proportion to their shares.

    Each is drawn `count` × its share of the sum, rounded up or down at random, so that the mean over many draws is
    exact.

    Args:
        members: `int64 (members,)`, at least one.
        count: number of draws.
        shares: `float64`, at least 0, indexed by member; the members' shares do not all vanish.
        random: generator for the order and the start.

    Returns:
        `int64 (count,)` in random order, with repetitions next to each other.
    """
    order = random.permutation(members)
    ends = shares[order].cumsum() / shares[order].sum() * count
    ends[-1] = count
    times = np.diff(np.floor(ends + random.random()), prepend=0)
    return np.repeat(order, times.astype(np.int64))
