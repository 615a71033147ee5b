"""Every colour of the pictures: of paper and ink, of classes, and of what is compared.

Most are from the palette of Okabe and Ito, which colour-blind readers can tell apart.
"""

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


def class_colour(number: int) -> Colour:
    """The colour of a class, counted from 0 without the background; after the last colour they repeat."""
    return CLASS_COLOURS[number % len(CLASS_COLOURS)]


def hex_of(colour: Colour) -> str:
    """A colour as matplotlib takes it: `#1c2026`."""
    return "#" + "".join(f"{value:02x}" for value in colour)
