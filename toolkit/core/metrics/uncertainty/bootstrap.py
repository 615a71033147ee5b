"""The bootstrap over images: intervals of a score and of the difference of two scores."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy import stats

from toolkit.core.arrays import Floats, Integers
from toolkit.core.metrics.metric import Metric
from toolkit.core.randomness import derived_seed, generator

DRAWS = 1000
"""Sets of images that are drawn by default."""

Verdict = Literal["better", "worse", "cannot tell"]

_INTERVAL = (2.5, 97.5)
_ROUNDING = 1e-12
_FEWEST = 6
"""With five images or groups, all may be better (or worse) by chance in more than 5 % of cases: 2 · (1/2)^5 > 0.05."""

_COUNTS_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Interval:
    """The 95 % bootstrap interval of a score and its standard error; NaN if there is no score."""

    low: float
    high: float
    standard_error: float

    def moved(self, low: float, high: float) -> "Interval":
        """The same with something added to its ends."""
        return replace(self, low=self.low + low, high=self.high + high)

    def within(self, bounds: tuple[float, float]) -> "Interval":
        """The same without what is below or above the scores that are possible."""
        low, high = np.clip([self.low, self.high], *bounds).tolist()
        return replace(self, low=low, high=high)


@dataclass(frozen=True)
class Difference:
    """The difference of two scores over the same images, first minus second, and the verdict on the first.

    `low` and `high` bound the 95 % bootstrap interval. The verdict is `cannot tell` if the interval contains 0, if
    there is no score (NaN), and for fewer than six images or groups.
    """

    mean: float
    low: float
    high: float
    standard_error: float
    verdict: Verdict


def bootstrap(
    metric: Metric, statistics: Floats, *, draws: int = DRAWS, seed: int = 0, groups: Integers | None = None
) -> Interval:
    """Estimate how far a score may lie from the score of all images of the same kind.

    Sets of images are drawn with replacement and scored; the interval holds the middle 95 % of their scores (percentile
    method; Efron, Bootstrap Methods, 1979).

    Args:
        metric: the metric.
        statistics: its statistics, (images, k), in a reproducible order (for example sorted by id), because images are
            drawn by position.
        draws: number of sets to draw.
        seed: equal seeds draw equal sets for the same number of images.
        groups: numbers of groups from 0, `int64 (images,)`: the images of a group are alike and are drawn together.
    """
    if groups is not None and groups.max() == 0:
        return Interval(math.nan, math.nan, math.nan)  # what a single group would be with other images is unknown
    return _interval(_scores(metric, (statistics,), _drawn(_units(statistics, groups), draws, seed))[0])


def score_of_others(
    metric: Metric,
    statistics: Floats,
    images: int,
    *,
    draws: int = DRAWS,
    seed: int = 0,
    groups: Integers | None = None,
) -> Interval:
    """Estimate where the score of other images of the same kind will lie, for example that of the test images.

    Two errors add up: the score of these images differs from that of all images of the kind, and so does the score of
    the others. Both are drawn as in `bootstrap`. For few images or groups they are enlarged as Student's distribution
    is wider than the normal one.

    Args:
        metric: the metric.
        statistics: its statistics on the images that are known, (images, k).
        images: the number of other images.
        draws: number of pairs of sets to draw.
        seed: equal seeds draw equal sets.
        groups: as in `bootstrap`; the others are taken to come in groups of the same sizes.
    """
    names = _units(statistics, groups)
    units = int(names.max()) + 1
    if units < 2:
        return Interval(math.nan, math.nan, math.nan)
    others = max(1, round(images * units / len(statistics)))
    (ours,) = _scores(metric, (statistics,), _drawn(names, draws, seed))
    (theirs,) = _scores(metric, (statistics,), _drawn(names, draws, derived_seed("others", seed), others))
    few = math.sqrt(units / (units - 1)) * float(stats.t.ppf(0.975, units - 1) / stats.norm.ppf(0.975))
    return _interval(metric.score(statistics) + few * (theirs - ours)).within(metric.bounds)


def paired(
    metric: Metric,
    statistics: Floats,
    baseline: Floats,
    *,
    draws: int = DRAWS,
    seed: int = 0,
    groups: Integers | None = None,
) -> Difference:
    """Compare two predictions of the same images by scoring both on the same drawn sets; see `bootstrap`.

    Args:
        metric: the metric; its direction decides which score is better.
        statistics: its statistics on the first prediction, (images, k).
        baseline: its statistics on the second prediction, for the same images in the same order.
        draws: number of sets to draw.
        seed: equal seeds draw equal sets.
        groups: as in `bootstrap`.

    Raises:
        ValueError: the numbers of images differ.
    """
    if len(statistics) != len(baseline):
        raise ValueError(
            f"predictions of {len(statistics)} and of {len(baseline)} images cannot be compared image by image"
        )
    mean = metric.score(statistics) - metric.score(baseline)
    names = _units(statistics, groups)
    units = int(names.max()) + 1
    if groups is not None and units == 1:
        return Difference(mean, math.nan, math.nan, math.nan, "cannot tell")
    ours, theirs = _scores(metric, (statistics, baseline), _drawn(names, draws, seed))
    interval = _interval(ours - theirs)
    verdict: Verdict = "cannot tell"
    if units >= _FEWEST and interval.low > _ROUNDING:
        verdict = "better" if metric.direction == "max" else "worse"
    elif units >= _FEWEST and interval.high < -_ROUNDING:
        verdict = "worse" if metric.direction == "max" else "better"
    return Difference(mean, interval.low, interval.high, interval.standard_error, verdict)


def _scores(
    metric: Metric,
    predictions: Sequence[Floats],
    sets: Iterator[Floats],
) -> list[Floats]:
    """The scores of several predictions on the same drawn sets, `float64 (sets,)` each."""
    found = [[metric.of_draws(statistics, counts) for statistics in predictions] for counts in sets]
    return [np.concatenate(scores) for scores in zip(*found, strict=True)]


def _units(statistics: Floats, groups: Integers | None) -> Integers:
    """The number of what each image is drawn with: its group or, without groups, itself."""
    return np.arange(len(statistics)) if groups is None else groups


def _drawn(groups: Integers, draws: int, seed: int, size: int | None = None) -> Iterator[Floats]:
    """How often each drawn set contains each image, `float64 (sets, images)`, in chunks that bound memory.

    A set consists of `size` groups; of as many as there are if it is None.
    """
    random = generator("bootstrap", seed)
    units = int(groups.max()) + 1
    at_once = max(1, _COUNTS_AT_ONCE // len(groups))
    for start in range(0, draws, at_once):
        sets = range(start, min(start + at_once, draws))
        counts = [np.bincount(random.integers(units, size=size or units), minlength=units) for _ in sets]
        yield np.array(counts, np.float64)[:, groups]


def _interval(scores: Floats) -> Interval:
    counted = scores[~np.isnan(scores)]
    if len(counted) < 2:
        return Interval(math.nan, math.nan, math.nan)
    low, high = np.percentile(counted, _INTERVAL)
    return Interval(float(low), float(high), float(counted.std(ddof=1)))


def exceeds_noise(gain: float, standard_error: float) -> bool:
    """Whether a gain is larger than its standard error; False where there is no gain at all, or no score."""
    return gain > max(standard_error, 1e-12)
