"""Which slices of a volume lie beside each other, by their numbers."""

import itertools
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


class SliceNumberError(ValueError):
    """Numbers of slices that say no order, or have a gap; the message names the slices."""

    def __init__(self, message: str, *, is_gap: bool = False) -> None:
        super().__init__(message)
        self.is_gap = is_gap


@dataclass(frozen=True)
class Stack:
    """The slices of one volume with their neighbours.

    Attributes:
        neighbours: the slices at each offset from a slice, by its id, in the order of the offsets.
        at_edge: slices with a neighbour beyond the first or last slice, in whose place that slice stands.
        filled: slices with a neighbour that is missing in between, in whose place the nearest slice stands.
    """

    neighbours: Mapping[str, tuple[str, ...]]
    at_edge: frozenset[str]
    filled: frozenset[str]


def stack_of(numbers: Mapping[str, float], offsets: Sequence[int], *, nearest: bool = False) -> Stack:
    """The neighbours of each slice of one volume.

    Slices lie as far apart as the two that are closest. A distance of 1.5 times that or more is a gap; the slices that
    lack in it count, so that an offset means the same distance everywhere.

    Args:
        numbers: the number, or the place in any unit, of each slice by its id.
        offsets: of the neighbours, in slices.
        nearest: whether the nearest slice stands for one that lacks: of two, that on the side of the slice itself.

    Raises:
        SliceNumberError: two slices have the same number, or a slice lacks and `nearest` is not set.
    """
    ids = sorted(numbers, key=lambda one: (numbers[one], one))
    gaps = [numbers[after] - numbers[before] for before, after in itertools.pairwise(ids)]
    if 0 in gaps:
        place = gaps.index(0)
        raise SliceNumberError(f"{ids[place]} and {ids[place + 1]} both have the number {numbers[ids[place]]:g}")
    step = min(gaps, default=1.0)
    places = [0]
    for before, gap in zip(ids, gaps, strict=False):
        away = int(gap / step + 0.5)
        if away > 1 and not nearest:
            raise SliceNumberError(
                f"the slice {numbers[before] + step:g} is missing after {before}: slices are {step:g} apart, and the "
                f"next one has the number {numbers[before] + gap:g}",
                is_gap=True,
            )
        places.append(places[-1] + away)
    last = places[-1]
    found = {
        one: tuple(ids[_nearest(places, place, min(max(place + offset, 0), last))] for offset in offsets)
        for one, place in zip(ids, places, strict=True)
    }
    inside = range(-min(offsets), last - max(offsets) + 1)
    missing = set(range(last + 1)).difference(places) if nearest else set[int]()
    return Stack(
        found,
        frozenset(one for one, place in zip(ids, places, strict=True) if place not in inside),
        frozenset(
            one for one, place in zip(ids, places, strict=True) if any(place + offset in missing for offset in offsets)
        ),
    )


def _nearest(places: Sequence[int], own: int, wanted: int) -> int:
    """The number of the slice that is nearest to the place `wanted`; of two, the one on the side of the slice `own`.

    `places` are in order; the first and the last enclose `wanted`.
    """
    after = bisect_left(places, wanted)
    if places[after] == wanted:
        return after
    below, above = wanted - places[after - 1], places[after] - wanted
    return after - 1 if below < above or (below == above and own < wanted) else after
