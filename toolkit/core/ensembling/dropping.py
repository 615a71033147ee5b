"""Which members and views of an ensemble to drop, one after the other, so that predictions end earlier."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from toolkit.core.ensembling.candidate_scores import MemberWeights

Value = TypeVar("Value")


@dataclass(frozen=True)
class Remaining:
    """What is left of an ensemble: the numbers of its members, ascending, and whether they are predicted with views."""

    members: tuple[int, ...]
    viewed: bool

    def drops(self) -> "list[Remaining]":
        """What may be left after one more drop: no views, or one member less; at least one member stays."""
        found = [replace(self, viewed=False)] if self.viewed else []
        if len(self.members) > 1:
            found += [
                replace(self, members=tuple(one for one in self.members if one != member)) for member in self.members
            ]
        return found

    def weights(self, given: Sequence[int]) -> MemberWeights:
        """Weights of the maps of all members without views, then of those with views, from the weights of members."""
        mine = tuple(weight if number in self.members else 0 for number, weight in enumerate(given))
        nothing = (0,) * len(mine)
        return nothing + mine if self.viewed else mine + nothing


@dataclass(frozen=True)
class Cost:
    """The time of one member for the test images, in any unit: without views, and both without and with them."""

    plain: float
    viewed: float


def cost_of(remaining: Remaining, costs: Sequence[Cost]) -> float:
    """The time of what is left."""
    return sum(costs[number].viewed if remaining.viewed else costs[number].plain for number in remaining.members)


def drop_one_by_one(
    members: int,
    costs: Sequence[Cost],
    evaluate: Callable[[Remaining], Value],
    loss: Callable[[Value, Value], float],
    *,
    has_views: bool,
) -> list[tuple[Remaining, Value]]:
    """Drop views or a member, again and again, until a single member without views is left.

    Each step takes the drop that loses least for the time that it saves; of several that lose nothing, the one that
    saves most. So it is greedy: a set that is better than all sets of the chain may exist.

    Args:
        members: their number.
        costs: of each.
        evaluate: scores what is left.
        loss: how much worse the second value is than the first; 0 or less if it is not.
        has_views: whether the ensemble has views that can be dropped.

    Returns:
        What is left after each step with its value, beginning with the whole.
    """
    here = Remaining(tuple(range(members)), has_views)
    chain = [(here, evaluate(here))]
    while candidates := here.drops():
        value, before = chain[-1][1], cost_of(here, costs)
        found = [(one, evaluate(one)) for one in candidates]
        ranks = [_rank(loss(value, theirs), before - cost_of(one, costs)) for one, theirs in found]
        best = min(range(len(found)), key=ranks.__getitem__)
        here = found[best][0]
        chain.append(found[best])
    return chain


def _rank(loss: float, saved: float) -> tuple[bool, float]:
    """The order of drops: first those that lose nothing, by what they save; then by the loss for what they save."""
    return (True, loss / max(saved, 1e-12)) if loss > 0 else (False, -saved)
