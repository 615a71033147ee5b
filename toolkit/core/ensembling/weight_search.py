"""The search for the weights of an ensemble's members: greedy selection, then ever smaller steps, without gradients."""

from collections.abc import Callable, Generator, Mapping, Sequence
from math import gcd
from typing import TypeVar

import numpy as np

from toolkit.core.ensembling.candidate_scores import MemberWeights
from toolkit.core.metrics.metric import Direction

Scores = tuple[float, ...]
"""The scores of a candidate over all images, and over all but those of each fold."""

Evaluate = Callable[[Sequence[MemberWeights]], Mapping[MemberWeights, Scores]]
"""Scores candidates, in one pass over the images."""

Result = TypeVar("Result")

Search = Generator[list[MemberWeights], Mapping[MemberWeights, float], Result]
"""Yields candidates, is sent their scores (more being better), and returns its choice."""

_ROUNDS = 20
_FINENESS = 64
_STEPS = (8, 4, 2)
_GAIN = 1e-9


def search_folds(
    evaluate: Evaluate,
    folds_count: int,
    direction: Direction,
    search: Callable[[], Search[Result]],
    further: Sequence[MemberWeights] = (),
) -> tuple[dict[MemberWeights, Scores], Result, list[Result]]:
    """Search on all images, and for each fold on the images of the others.

    All searches advance together: the candidates that any of them asks for are scored in one pass over the images, and
    no candidate is scored twice.

    Args:
        evaluate: scores candidates.
        folds_count: number of folds.
        direction: of the metric.
        search: begins a search, for example `by_selection`.
        further: candidates to score in the first pass too.

    Returns:
        the scores of all candidates, as `reduced`; the choice on all images; for each fold the choice of the others.
    """
    searches = [search() for _ in range(1 + folds_count)]
    wanted = {number: next(path) for number, path in enumerate(searches)}
    known: dict[MemberWeights, Scores] = {}
    found: dict[int, Result] = {}
    while wanted:
        new = dict.fromkeys(reduced(weights) for asked in (*wanted.values(), further) for weights in asked)
        unknown = [weights for weights in new if weights not in known]
        known |= evaluate(unknown) if unknown else {}
        for number, asked in list(wanted.items()):
            scores = {weights: signed(known[reduced(weights)][number], direction) for weights in asked}
            try:
                wanted[number] = searches[number].send(scores)
            except StopIteration as stop:
                found[number] = stop.value
                del wanted[number]
    return known, found[0], [found[1 + fold] for fold in range(folds_count)]


def signed(score: float, direction: Direction) -> float:
    """A score with more being better; minus infinity if there is none."""
    score = score if direction == "max" else -score
    return -np.inf if np.isnan(score) else score


def reduced(weights: MemberWeights) -> MemberWeights:
    """The same ratios in the smallest whole numbers."""
    divisor = gcd(*weights)
    return tuple(weight // divisor for weight in weights)


def by_selection(members: int) -> Search[MemberWeights]:
    """Greedy selection with replacement, then single weights moved up and down by ever smaller steps.

    Selection starts from the best member and adds the one that helps most, again and again, until none helps (Caruana
    et al., Ensemble Selection from Libraries of Models, ICML 2004). Then each weight in turn is tried an eighth, a
    sixteenth and a thirty-second of the whole larger and smaller. At last members go without which it is as good. Of
    what scores alike, the earlier member wins and the fewer members do.
    """
    alone = [indicator([member], members) for member in range(members)]
    best, score = _first_best((yield alone), alone)
    for _ in range(_ROUNDS):
        grown = [_moved(best, member, 1) for member in range(members)]
        # What leaves the ratios as they are cannot help.
        grown = [weights for weights in grown if reduced(weights) != reduced(best)]
        if not grown:
            return reduced(best)
        candidate, reached = _first_best((yield grown), grown)
        if reached <= score + _GAIN:
            break
        best, score = candidate, reached
    best = _scaled(best)
    for step in _STEPS:
        for _ in range(_ROUNDS):
            size = max(1, round(sum(best) * step / _FINENESS))
            moved = [_moved(best, member, change) for member in range(members) for change in (size, -size)]
            moved = [weights for weights in moved if any(weights) and reduced(weights) != reduced(best)]
            candidate, reached = _first_best((yield moved), moved)
            if reached <= score + _GAIN:
                break
            best, score = candidate, reached
    while sum(weight > 0 for weight in best) > 1:
        fewer = [_moved(best, member, -weight) for member, weight in enumerate(best) if weight]
        candidate, reached = _first_best((yield fewer), fewer)
        if reached < score:
            break
        best, score = candidate, reached
    return reduced(best)


def by_adding(choices: int) -> Search[tuple[int, ...]]:
    """Greedy selection of a set: from choice 0 alone, add the one that helps most until none helps.

    Returns the numbers of the choices in the order in which they were added.
    """
    order = [0]
    _, score = _first_best((yield [indicator(order, choices)]), [indicator(order, choices)])
    while len(order) < choices:
        grown = {indicator([*order, choice], choices): choice for choice in range(choices) if choice not in order}
        candidate, reached = _first_best((yield list(grown)), list(grown))
        if reached <= score + _GAIN:
            break
        order.append(grown[candidate])
        score = reached
    return tuple(order)


def indicator(numbers: Sequence[int], count: int) -> MemberWeights:
    """Weights that are 1 for some of so many numbers and 0 for the others."""
    return tuple(int(number in numbers) for number in range(count))


def _first_best(
    scores: Mapping[MemberWeights, float], candidates: Sequence[MemberWeights]
) -> tuple[MemberWeights, float]:
    """The best candidate, the first of several that are equally good but for rounding."""
    highest = max(scores[weights] for weights in candidates)
    return next((weights, scores[weights]) for weights in candidates if scores[weights] >= highest - _GAIN / 2)


def _moved(weights: MemberWeights, member: int, change: int) -> MemberWeights:
    return tuple(max(0, weight + change * (number == member)) for number, weight in enumerate(weights))


def _scaled(weights: MemberWeights) -> MemberWeights:
    """The same ratios in whole numbers that add up to a number fine enough for the steps."""
    small = reduced(weights)
    factor = -(-_FINENESS // sum(small))
    return tuple(weight * factor for weight in small)
