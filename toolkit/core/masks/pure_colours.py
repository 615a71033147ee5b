"""Few pure colours told from the shades that lossy compression and smoothing make of them."""

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Colour

_SHADE = 60  # levels of each channel
_CORE = 16  # levels of each channel
_HALF = 0.5
_FEWEST = 0.002  # of all pixels have a colour that is no accident
_BORDER = 0.5  # of the pixels of the colours on both sides
_EXTREME = 0.9


def pure_colours(counts: Mapping[Colour, int], pixels: int) -> tuple[Colour, ...]:
    """The colours whose shades make up nearly all pixels, black first, then the most frequent; empty if none do.

    A rare colour between two frequent ones is their border, not a colour of its own.

    Args:
        counts: pixels of each colour.
        pixels: of all masks together.
    """
    colours = np.array(sorted(counts, key=lambda colour: -counts[colour]), np.int64)
    weights = np.array([counts[_triple(colour)] for colour in colours])
    left = np.ones(len(colours), np.bool_)
    groups: list[tuple[npt.NDArray[Any], int, bool]] = []
    while left.any():
        first = colours[np.argmax(left)]
        away = np.abs(colours - first).max(axis=1)
        weight, core = (int(weights[left & (away <= far)].sum()) for far in (_SHADE, _CORE))
        groups.append((first, weight, core >= _HALF * weight))
        left &= away > _SHADE
    groups = sorted((one for one in groups if one[1] >= _FEWEST * pixels), key=lambda one: -one[1])
    pure: list[tuple[npt.NDArray[Any], int]] = []
    covered = 0
    for colour, weight, is_dense in groups:
        strong = [other for other, count in pure if weight < _BORDER * count]
        is_border = any(_is_between(colour, one, other) for one, other in combinations(strong, 2))
        pure += [(colour, weight)] if is_dense and not is_border else []
        covered += weight if is_dense or is_border else 0
    if len(pure) < 2 or covered < _EXTREME * pixels:
        return ()
    return tuple(sorted((_triple(colour) for colour, _ in pure), key=lambda colour: sum(colour) > 0))


def _is_between(colour: npt.NDArray[Any], one: npt.NDArray[Any], other: npt.NDArray[Any]) -> bool:
    """Whether a colour is near a mixture of two others."""
    line = other - one
    share = float(np.clip((colour - one) @ line / max(1, line @ line), 0, 1))
    return bool(np.abs(one + share * line - colour).max() <= _SHADE)


def _triple(colour: npt.NDArray[Any]) -> Colour:
    red, green, blue = map(int, colour)
    return red, green, blue
