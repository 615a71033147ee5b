"""How much too good the score of a chosen epoch is, because it was chosen on the images that score it."""

import math
from collections.abc import Sequence

import numpy as np

from toolkit.core.arrays import Floats, Integers
from toolkit.core.metrics.metric import Metric
from toolkit.core.randomness import generator

_DIVISIONS = 50


def optimism_of_choice(
    metric: Metric, statistics: Sequence[Floats], seed: int, groups: Integers | None = None
) -> float:
    """The difference of the best score of several epochs and an honest score of choosing among them.

    The images are divided into halves at random, several times. The epoch that is best on one half is scored on the
    other, both ways: that half had no say in the choice. The mean of these scores is the honest one.

    Args:
        metric: that chooses.
        statistics: of each epoch, (images, k), see `Metric.measure`; of equal scores the first epoch is chosen.
        seed: of the divisions.
        groups: the number of each image's group, `int64 (images,)`, which halves do not divide; None if images are not
            grouped.

    Returns:
        The optimism, more being worse; 0 with a single epoch, image or group, and where no half has a score. By chance
        it may be slightly below 0.
    """
    unit_of = np.arange(len(statistics[0])) if groups is None else np.unique(groups, return_inverse=True)[1]
    units = int(unit_of.max()) + 1
    if len(statistics) < 2 or units < 2:
        return 0.0
    random = generator("optimism", seed)
    honest = []
    for _ in range(_DIVISIONS):
        order = random.permutation(units)
        halves = [np.flatnonzero(np.isin(unit_of, half)) for half in (order[: units // 2], order[units // 2 :])]
        for chooses, scores in (halves, halves[::-1]):
            found = metric.score(_best(metric, [one[chooses] for one in statistics], statistics)[scores])
            honest += [] if math.isnan(found) else [found]
    best = metric.score(_best(metric, statistics, statistics))
    if not honest or math.isnan(best):
        return 0.0
    gap = best - float(np.mean(honest))
    return gap if metric.direction == "max" else -gap


def _best(metric: Metric, seen: Sequence[Floats], whole: Sequence[Floats]) -> Floats:
    """The entry of `whole` whose epoch scores best on what is seen of it."""
    place, highest = 0, metric.score(seen[0])
    for number, statistics in enumerate(seen[1:], start=1):
        score = metric.score(statistics)
        if metric.is_better(score, highest):
            place, highest = number, score
    return whole[place]
