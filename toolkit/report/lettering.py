"""Text of pictures, in the font that plots have too."""

import unicodedata
from bisect import bisect_right
from functools import cache
from importlib.util import find_spec
from math import ceil
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from toolkit.report.colours import INK, PAPER, Colour

TITLE_SIZE, HEADING_SIZE, TEXT_SIZE, SCALE_SIZE = 22, 17, 13, 11
_BEYOND_LETTERS = frozenset("–—‘’“”…→−≤≥")


@cache
def font_of(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which matplotlib brings along and draws with, in a size in pixels."""
    spec = find_spec("matplotlib")  # importing it would be slow
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("matplotlib, which brings the font of the pictures, is not installed")
    folder = Path(spec.submodule_search_locations[0])
    file = folder / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(file, size, layout_engine=ImageFont.Layout.BASIC)


def text_width(text: str, size: int) -> int:
    """The width of a line of text in pixels."""
    return ceil(font_of(size).getlength(drawable(text)))


def text_line(
    text: str, size: int, box: tuple[int, int], colour: Colour = INK, *, centred: bool = False
) -> Image.Image:
    """One line of text in a box (width, height), shortened with an ellipsis if the box is too narrow."""
    picture = Image.new("RGB", box, PAPER)
    place = (box[0] / 2 if centred else 0, box[1] / 2)
    line = _shortened(drawable(text), size, box[0])
    ImageDraw.Draw(picture).text(place, line, fill=colour, font=font_of(size), anchor="mm" if centred else "lm")
    return picture


def wrapped(text: str, size: int, width: int, lines: int) -> list[str]:
    """The text divided at spaces into lines of a width in pixels; an ellipsis ends the last one if words are left."""
    found: list[str] = []
    words = drawable(text).split(" ")
    while words and len(found) < lines:
        count = bisect_right(
            range(1, len(words) + 1), width, key=lambda number: text_width(" ".join(words[:number]), size)
        )
        if len(found) == lines - 1:
            count = len(words)
        count = max(count, 1)
        found.append(_shortened(" ".join(words[:count]), size, width))
        words = words[count:]
    return found


def _shortened(line: str, size: int, width: int) -> str:
    font = font_of(size)
    if font.getlength(line) <= width:
        return line
    fitting = bisect_right(range(len(line)), width, key=lambda length: ceil(font.getlength(line[:length] + "…")))
    return line[: max(0, fitting - 1)].rstrip(" ,;:") + "…"


def drawable(text: str) -> str:
    """The text on one line, in Latin, Greek and Cyrillic letters; a character that the font lacks becomes "?"."""
    letters = unicodedata.normalize("NFC", text.translate(str.maketrans("\n\r\t", "   ")))
    return "".join(letter if _is_drawn(letter) else "?" for letter in letters)


def _is_drawn(letter: str) -> bool:
    return (" " <= letter < "\u0500" and not unicodedata.category(letter).startswith("C")) or letter in _BEYOND_LETTERS
