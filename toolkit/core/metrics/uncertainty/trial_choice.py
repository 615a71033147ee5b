"""The choice among the trials of a search: which is best, what it scores where it was not chosen, which end early."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from toolkit.core.arrays import Floats
from toolkit.core.metrics.metric import Direction

WARM_UP = 34
"""Percent of a fold's epochs before which no trial ends early: learning rates make different starts."""
FEWEST_OTHERS = 4
"""Finished trials that a trial is compared with at the least."""


@dataclass(frozen=True)
class NestedChoice:
    """Positions of trials: the best over all folds, and for each fold the best over the other folds.

    `scores` are those of the folds, each by the trial chosen on the others; `optimistic` and `nested` are the means of
    the folds, weighted by their images, of the best trial and of `scores`. With a single fold `by_fold` and `scores`
    are empty and `nested` is NaN.
    """

    best: int
    by_fold: tuple[int, ...]
    scores: tuple[float, ...]
    optimistic: float
    nested: float


def nested_choice(scores: Floats, images: Floats, direction: Direction) -> NestedChoice:
    """Choose a trial by its scores on all folds, and for each fold one by its scores on the others.

    So no image has a say in the choice of the trial that it is scored with. Of equal trials the first is chosen.

    Args:
        scores: of each trial on each fold, `float64 (trials, folds)`; NaN where a fold has no score.
        images: how many images each fold holds out, `(folds,)`: they weigh the scores.
        direction: whether more or less is better.

    Raises:
        ValueError: there is no trial, or a trial has no score at all.
    """
    folds = scores.shape[1]
    if not len(scores) or np.isnan(scores).all(axis=1).any():
        raise ValueError("expected at least one trial, and scores of each")
    best, optimistic = _best(scores, images, direction)
    if folds < 2:
        return NestedChoice(best, (), (), optimistic, float("nan"))
    by_fold = [_best(np.delete(scores, fold, 1), np.delete(images, fold), direction)[0] for fold in range(folds)]
    found = scores[by_fold, np.arange(folds)]
    nested = float(_means(found[None], images)[0])
    return NestedChoice(best, tuple(by_fold), tuple(found.tolist()), optimistic, nested)


def _best(scores: Floats, images: Floats, direction: Direction) -> tuple[int, float]:
    means = _means(scores, images)
    ordered = np.where(np.isnan(means), -np.inf, means if direction == "max" else -means)
    place = int(np.argmax(ordered))
    return place, float(means[place])


def _means(scores: Floats, images: Floats) -> Floats:
    """The mean of each row, weighted by the images of the folds that have a score; NaN without any."""
    weights = np.where(np.isnan(scores), 0.0, images)
    sums = weights.sum(axis=1)
    totals = (np.nan_to_num(scores) * weights).sum(axis=1)
    found: Floats = np.where(sums > 0, totals / np.maximum(sums, 1), np.nan)
    return found


class Point(NamedTuple):
    """How far a trial is: the fold that it trains, and the percent of the fold's epochs that are done, 1–100."""

    fold: int
    percent: int


Curve = Mapping[Point, float]
"""The best validation scores so far of a trial: the mean over the folds that were begun, at several points."""


@dataclass(frozen=True)
class Behind:
    """A trial is worse than the median of so many finished trials at the same point."""

    median: float
    trials: int


def behind(curve: Curve, at: Point, others: Sequence[Curve], direction: Direction) -> Behind | None:
    """Whether a trial has fallen behind finished ones, so that the rest of its training is probably in vain.

    The median rule (Golovin et al., Google Vizier, 2017), with the warm-up in each fold. Trials of different numbers of
    epochs are compared at the same share of them.

    Args:
        curve: of the trial.
        at: a point of it.
        others: the curves of finished trials.
        direction: whether more or less is better.

    Returns:
        What it is worse than; None if it goes on.
    """
    if at.percent < WARM_UP:
        return None
    found = [value for other in others if (value := _value_at(other, at)) is not None]
    if len(found) < FEWEST_OTHERS:
        return None
    median = statistics.median(found)
    worse = curve[at] < median if direction == "max" else curve[at] > median
    return Behind(median, len(found)) if worse else None


def _value_at(curve: Curve, at: Point) -> float | None:
    """The last value in the same fold up to a point."""
    reached = [point for point in curve if point.fold == at.fold and point.percent <= at.percent]
    return curve[max(reached)] if reached else None
