"""How far a score may be chance: the bootstrap over images, of one score and of the difference of two."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from toolkit.core.arrays import Floats
from toolkit.core.metrics.metric import Metric
from toolkit.core.randomness import generator

DRAWS = 1000

Verdict = Literal["better", "worse", "cannot tell"]

_INTERVAL = (2.5, 97.5)
_ROUNDING = 1e-12
_FEWEST_IMAGES = 6
"""Of five images all may be better by chance in more than one of twenty cases: (1/2)^5 + (1/2)^5 > 0.05."""

_NUMBERS_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Interval:
    """The 95 % bootstrap interval of a score and its standard error; NaN where there is no score."""

    low: float
    high: float
    standard_error: float


@dataclass(frozen=True)
class Difference:
    """How much two scores over the same images differ, first minus second, and what this says about the first.

    `low` and `high` bound the 95 % bootstrap interval. The verdict is `cannot tell` where that holds 0, where there is
    no score (NaN), and for fewer than six images.
    """

    mean: float
    low: float
    high: float
    standard_error: float
    verdict: Verdict


def bootstrap(metric: Metric, statistics: Floats, draws: int = DRAWS, seed: int = 0) -> Interval:
    """Say how far a score may lie from that of other images of the same kind.

    Images are drawn with replacement and scored, again and again; the interval holds the middle 95 % of these scores
    (the percentile method of Efron, Bootstrap Methods, 1979).

    Args:
        metric: what scores.
        statistics: what it measured, (images, k), in an order that is always the same, such as that of the ids: images
            are drawn by their position.
        draws: how many sets are drawn.
        seed: equal seeds draw equal sets of as many images.
    """
    return _interval(_scores(metric, (statistics,), draws, seed)[0])


def paired(metric: Metric, statistics: Floats, baseline: Floats, draws: int = DRAWS, seed: int = 0) -> Difference:
    """Compare two predictions of the same images, both scored on the same drawn sets; see `bootstrap`.

    Args:
        metric: what scores; its direction says what is better.
        statistics: what it measured on the prediction in question, (images, k).
        baseline: what it measured on the prediction to compare with, of the same images in the same order.
        draws: how many sets are drawn.
        seed: equal seeds draw equal sets.

    Raises:
        ValueError: the counts of images differ.
    """
    if len(statistics) != len(baseline):
        raise ValueError(f"{len(statistics)} and {len(baseline)} images cannot be compared pair by pair")
    ours, theirs = _scores(metric, (statistics, baseline), draws, seed)
    mean = metric.score(statistics) - metric.score(baseline)
    interval = _interval(ours - theirs)
    verdict: Verdict = "cannot tell"
    if len(statistics) >= _FEWEST_IMAGES and interval.low > _ROUNDING:
        verdict = "better" if metric.direction == "max" else "worse"
    elif len(statistics) >= _FEWEST_IMAGES and interval.high < -_ROUNDING:
        verdict = "worse" if metric.direction == "max" else "better"
    return Difference(mean, interval.low, interval.high, interval.standard_error, verdict)


def _scores(metric: Metric, measured: Sequence[Floats], draws: int, seed: int) -> list[Floats]:
    """The scores of several predictions on the same drawn sets, `float64 (draws,)` each."""
    found = [
        [metric.of_draws(statistics, counts) for statistics in measured]
        for counts in _drawn(len(measured[0]), draws, seed)
    ]
    return [np.concatenate(scores) for scores in zip(*found, strict=True)]


def _drawn(images: int, draws: int, seed: int) -> Iterator[Floats]:
    """How often each drawn set holds each image, `float64 (sets, images)`, a few sets at a time to bound memory."""
    random = generator("bootstrap", seed)
    at_once = max(1, _NUMBERS_AT_ONCE // images)
    for start in range(0, draws, at_once):
        sets = range(start, min(start + at_once, draws))
        yield np.array([np.bincount(random.integers(images, size=images), minlength=images) for _ in sets], np.float64)


def _interval(scores: Floats) -> Interval:
    counted = scores[~np.isnan(scores)]
    if len(counted) < 2:
        return Interval(math.nan, math.nan, math.nan)
    low, high = np.percentile(counted, _INTERVAL)
    return Interval(float(low), float(high), float(counted.std(ddof=1)))
