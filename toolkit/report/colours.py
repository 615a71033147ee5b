"""Every colour of the pictures: of paper and ink, of classes, and of what is compared.

Most are from the palette of Okabe and Ito, which colour-blind readers can tell apart. After the first twelve classes,
each further class takes the colour that differs most from all colours before it, so that no two classes look alike and
the colour of a class does not depend on how many there are.
"""

from functools import cache
from itertools import product

import numpy as np
import numpy.typing as npt

Colour = tuple[int, int, int]
"""Red, green and blue, 0–255."""

PAPER: Colour = (255, 255, 255)
LETTERBOX: Colour = (240, 241, 243)
"""Around tiles that do not fill their cell."""
INK: Colour = (28, 32, 38)
QUIET_INK: Colour = (98, 105, 115)
RULE: Colour = (208, 212, 218)
GRID: Colour = (228, 231, 235)
EMPTY_CELL: Colour = (236, 238, 241)
GREY: Colour = (115, 122, 133)

ORANGE: Colour = (230, 159, 0)
SKY_BLUE: Colour = (86, 180, 233)
LIGHT_BLUE: Colour = (159, 198, 224)
GREEN: Colour = (0, 190, 138)
"""Lighter than that of the palette, for dark images."""
YELLOW: Colour = (240, 228, 66)
BLUE: Colour = (0, 114, 178)
VERMILION: Colour = (213, 94, 0)
PURPLE: Colour = (204, 121, 167)

TRUTH, MASK = GREEN, PURPLE
TRUE_POSITIVE, FALSE_NEGATIVE, FALSE_POSITIVE = SKY_BLUE, VERMILION, YELLOW
"""They also differ in lightness, so that a black-and-white print shows them."""

WRONG: Colour = (255, 0, 90)
"""Where any class is wrong; no class has this colour."""

CLASS_COLOURS: tuple[Colour, ...] = (
    GREEN, ORANGE, SKY_BLUE, PURPLE, YELLOW, VERMILION, BLUE,
    (170, 68, 153), (153, 221, 85), (255, 160, 160), (136, 204, 238), (140, 110, 60),
)  # fmt: skip
LINE_COLOURS: tuple[Colour, ...] = (
    (0, 158, 115), ORANGE, SKY_BLUE, PURPLE, (150, 150, 40), VERMILION, BLUE,
    (120, 40, 130), (100, 160, 30), (225, 110, 110), (60, 120, 150), (120, 90, 40),
)  # fmt: skip
"""Of lines on paper: the hues of `CLASS_COLOURS`, darker where those are too light."""
IGNORE_COLOUR: Colour = (150, 155, 162)

CLASS_STRENGTH, IGNORE_STRENGTH = 0.3, 0.75
"""How strongly classes and ignored pixels tint an image; 1 hides it."""


_LEVELS = (0, 40, 80, 120, 160, 200, 240)
"""Of red, green and blue in the colours of further classes."""
_GREYEST, _DARKEST = 60, 70
_ON_PAPER = 0.72
"""What is left of the lightness of further colours in lines on paper."""


def class_colour(number: int) -> Colour:
    """The colour of a class, counted from 0 without the background; there are enough for all labels of 8 bits."""
    return CLASS_COLOURS[number] if number < len(CLASS_COLOURS) else _further_colours()[number - len(CLASS_COLOURS)]


def line_colour(number: int) -> Colour:
    """The colour of the line of a class or fold on paper."""
    if number < len(LINE_COLOURS):
        return LINE_COLOURS[number]
    red, green, blue = (round(_ON_PAPER * value) for value in class_colour(number))
    return red, green, blue


@cache
def _further_colours() -> tuple[Colour, ...]:
    """Colours in the order in which each differs most from the palette, from `WRONG` and from those before it.

    Greys, which look like ignored pixels, and dark colours, which do not show on dark images, are left out.
    """
    grid = np.array(list(product(_LEVELS, repeat=3)), np.float64)
    light = grid @ (0.299, 0.587, 0.114)
    free = grid[(np.ptp(grid, axis=1) >= _GREYEST) & (light >= _DARKEST)]
    taken = np.array([*CLASS_COLOURS, WRONG], np.float64)
    nearest = np.min([_distances(free, colour) for colour in taken], axis=0)
    order = []
    for _ in range(len(free)):
        best = int(np.argmax(nearest))
        order.append((int(free[best, 0]), int(free[best, 1]), int(free[best, 2])))
        nearest = np.minimum(nearest, _distances(free, free[best]))
    return tuple(order)


def _distances(colours: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """How different colours look from another one: the "redmean" of Thiadmer Riemersma."""
    red = (colours[:, 0] + other[0]) / 2
    weights = np.stack([2 + red / 256, np.full(len(red), 4.0), 2 + (255 - red) / 256], axis=1)
    found: npt.NDArray[np.float64] = np.sqrt((weights * (colours - other) ** 2).sum(axis=1))
    return found


def hex_of(colour: Colour) -> str:
    """A colour as matplotlib takes it: `#1c2026`."""
    return "#" + "".join(f"{value:02x}" for value in colour)
