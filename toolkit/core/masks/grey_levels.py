"""Finding black and white, or a few grey levels, in masks whose values were blurred."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

_AROUND = 32
_APART = 48
_PEAK = 3
_SHARP = 0.4  # of the pixels around a level, those that have it nearly
_OF_ALL = 0.002
_COVERED = 0.97
_MOST_LEVELS = 8
_EXTREME = 0.9
_MANY_BETWEEN = 8
_BLURRED = 32
_MOST_OF_FRAME = 0.5
_NEARLY_ALL = 0.9
_FEWEST_OF_FRAME = 0.01


def grey_levels(counts: Mapping[int, int]) -> tuple[int, ...]:
    """The levels around which nearly all values lie, ascending; empty if there are none, or more than eight.

    Args:
        counts: pixels of each value, 0–255.
    """
    rest, total = dict(counts), sum(counts.values())
    levels: list[int] = []
    covered = 0
    while rest and len(levels) <= _MOST_LEVELS:
        level = max(rest, key=lambda value: (rest[value], -value))
        near = {value: count for value, count in rest.items() if abs(value - level) <= _AROUND}
        around = sum(near.values())
        sharp = sum(count for value, count in near.items() if abs(value - level) <= _PEAK)
        if around < _OF_ALL * total or sharp < _SHARP * around:
            break
        levels.append(level)
        covered += around
        rest = {value: count for value, count in rest.items() if value not in near}
    found = tuple(sorted(levels))
    apart = all(high - low > _APART for low, high in pairwise(found))
    return found if apart and covered >= _COVERED * total and len(found) <= _MOST_LEVELS else ()


def ranges_of(levels: Sequence[int], top: int) -> tuple[tuple[int, int], ...]:
    """The range of values of each level: from half way to the level below up to half way to the one above."""
    ends = [(low + high + 1) // 2 for low, high in pairwise(levels)]
    return tuple(zip([0, *ends], [*(end - 1 for end in ends), top], strict=True))


def background_of(
    values: Sequence[int], frame: Mapping[int, int], *, drawn: bool, levels: bool = False
) -> tuple[int, str]:
    """The value that fills most of the image borders, and why it is the background instead of 0 or the first value.

    Where 0 occurs it is the background, but not in drawings whose borders nearly all have another value.

    Args:
        values: of the classes, ascending.
        frame: pixels of each value in the outermost rows and columns of all masks.
        drawn: whether values are far apart, as in drawings.
        levels: whether other values count for the nearest one, and a first value that is nearly black as 0.

    Returns:
        the value and the reason; the first value and an empty text if it is the background.
    """
    counts = dict.fromkeys(values, 0)
    for value, count in frame.items():
        nearest = min(values, key=lambda one: (abs(one - value), -one)) if levels else value
        counts[nearest] = counts.get(nearest, 0) + count
    total = sum(counts.values())
    black = values[0] if levels and values[0] < near_black(255) else 0
    if not total or (black in values and (not drawn or counts[black] > _FEWEST_OF_FRAME * total)):
        return values[0], ""
    background = max(values, key=lambda value: counts[value])
    least = (_NEARLY_ALL if black in values else _MOST_OF_FRAME) * total
    if background == values[0] or counts[background] < least:
        return values[0], ""
    return background, f"{black} hardly any" if black in values else "none is 0"


def is_soft(counts: Mapping[int, int]) -> bool:
    """Whether nearly all pixels are black or white, and the others have many values in between."""
    top = white_of(counts)
    between = [value for value in counts if near_black(top) <= value <= top - near_black(top)]
    white = sum(count for value, count in counts.items() if top - near_black(top) < value <= top)
    is_edge = sum(counts[value] for value in between) <= white and max(counts) <= top
    return is_edge and len(between) >= _MANY_BETWEEN and share_of_extremes(counts) >= _EXTREME


def share_of_extremes(counts: Mapping[int, int]) -> float:
    """The share of pixels that are nearly black or nearly white."""
    top = white_of(counts)
    extreme = sum(count for value, count in counts.items() if not near_black(top) <= value <= top - near_black(top))
    return extreme / sum(counts.values())


def near_black(top: int) -> int:
    """Values below it are nearly black; `top` is white."""
    return _BLURRED * (top + 1) // 256


def white_of(counts: Mapping[int, int]) -> int:
    """The value of white: the largest one of 8 or of 16 bits."""
    return 255 if max(counts) < 256 else 65535
