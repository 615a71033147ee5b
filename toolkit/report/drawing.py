"""Pieces that pictures for people are made of: colours, tinted images, text, tiles beside and below each other."""

import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from math import ceil

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont, ImageOps

Picture = npt.NDArray[np.uint8]
Plane = npt.NDArray[np.float32]
Colour = tuple[int, int, int]

PAPER: Colour = (255, 255, 255)
LETTERBOX: Colour = (240, 241, 243)
INK: Colour = (28, 32, 38)
QUIET_INK: Colour = (98, 105, 115)
RULE: Colour = (208, 212, 218)

TITLE_SIZE, HEADING_SIZE, TEXT_SIZE, SCALE_SIZE = 24, 18, 14, 12
MARGIN, TILE_GAP, ROW_GAP, GROUP_GAP = 20, 6, 12, 28
SMALLEST_TILE = 16
WIDEST_TILE = 4 / 3  # of the tile height: two groups of such tiles side by side still fit a full HD screen
_VERY_LARGE = 1 << 24  # pixels
WIDEST_SHEET = 1900  # groups that would be wider side by side are stacked


def resized(plane: npt.NDArray[np.bool_ | np.uint8 | np.float32], size: tuple[int, int], enlarging: int) -> Plane:
    """Resize to (width, height); shrinking averages, so that a thin structure fades instead of vanishing.

    What is very large shrinks in its own type, to whole levels: `float32` would take four times the memory.
    """
    shrinks = size[0] < plane.shape[1] or size[1] < plane.shape[0]
    how = cv2.INTER_AREA if shrinks else enlarging
    if plane.ndim == 3:  # channel by channel, because all of a large image as numbers would take its memory four times
        return np.stack([resized(plane[..., channel], size, enlarging) for channel in range(plane.shape[2])], axis=-1)
    if shrinks and plane.size >= _VERY_LARGE and plane.dtype == np.uint8:
        return cv2.resize(np.ascontiguousarray(plane), size, interpolation=how).astype(np.float32)
    if shrinks and plane.size >= _VERY_LARGE and plane.dtype == np.bool_:
        return resized(plane.view(np.uint8) * np.uint8(255), size, enlarging) / np.float32(255)
    return np.asarray(cv2.resize(np.ascontiguousarray(plane, np.float32), size, interpolation=how), np.float32)


def tinted(picture: Plane, part: Plane, colour: Colour, strength: float) -> Plane:
    """Lay a colour over the part (height, width; 0-1) of a picture."""
    weight = part[..., np.newaxis] * np.float32(strength)
    return picture * (1 - weight) + np.array(colour, dtype=np.float32) * weight


def as_rgb(image: Picture) -> Picture:
    """The first three of any number of channels, or the first one as grey."""
    return image[..., :3] if image.shape[2] >= 3 else np.repeat(image[..., :1], 3, axis=2)


def outline(part: Plane, thickness: int = 2) -> Plane:
    """The inner border of the region, some pixels thick, also where it touches the edge of the picture."""
    inside = (part >= 0.5).astype(np.uint8)
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    core = cv2.erode(inside, cross, iterations=thickness, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(inside - core, dtype=np.float32)


def as_bytes(picture: Plane) -> Picture:
    """Values of 0–255 as `uint8`, rounded; those beyond become the nearer end."""
    return np.rint(np.clip(picture, 0, 255)).astype(np.uint8)


def swatch(label: str, colour: Colour, strength: float) -> Image.Image:
    """A square in the colour, drawn as in the tiles, its label to the right."""
    whole = np.ones((14, 14), np.float32)
    fill = tinted(np.full((14, 14, 3), PAPER, np.float32), whole, colour, strength)
    square = ImageOps.expand(Image.fromarray(as_bytes(tinted(fill, outline(whole), colour, 1.0))), (0, 2), PAPER)
    return joined([square, text_line(label, TEXT_SIZE, (text_width(label, TEXT_SIZE), 18))], 6, beside=True)


def joined(pictures: Sequence[Image.Image], gap: int, *, beside: bool) -> Image.Image:
    """Pictures beside or below each other, aligned at the top left."""
    widths, heights = [picture.width for picture in pictures], [picture.height for picture in pictures]
    gaps = gap * max(0, len(pictures) - 1)
    size = (sum(widths) + gaps, max(heights, default=0)) if beside else (max(widths, default=0), sum(heights) + gaps)
    whole = Image.new("RGB", size, PAPER)
    at = 0
    for picture in pictures:
        whole.paste(picture, (at, 0) if beside else (0, at))
        at += gap + (picture.width if beside else picture.height)
    return whole


def flowed(items: Sequence[Image.Image], width: int) -> list[Image.Image]:
    """Items beside each other on as many lines as the width asks for."""
    lines: list[list[Image.Image]] = [[]]
    for item in items:
        if lines[-1] and sum(other.width + MARGIN for other in lines[-1]) + item.width > width:
            lines.append([])
        lines[-1].append(item)
    return [joined(line, MARGIN, beside=True) for line in lines]


def text_width(text: str, size: int) -> int:
    """Pixels that a line of text takes."""
    return ceil(ImageFont.load_default(size).getlength(text))


def text_line(
    text: str, size: int, box: tuple[int, int], colour: Colour = INK, *, centred: bool = False
) -> Image.Image:
    """One line of text in a box (width, height), shortened with an ellipsis where the box is too narrow."""
    font = ImageFont.load_default(size)
    line = _drawable(text)
    if font.getlength(line) > box[0]:
        fitting = bisect_right(range(len(line)), box[0], key=lambda length: ceil(font.getlength(line[:length] + "…")))
        line = line[: max(0, fitting - 1)].rstrip() + "…"
    picture = Image.new("RGB", box, PAPER)
    place = (box[0] / 2 if centred else 0, box[1] / 2)
    ImageDraw.Draw(picture).text(place, line, fill=colour, font=font, anchor="mm" if centred else "lm")
    return picture


def _drawable(text: str) -> str:
    """The text on one line, in the characters that Pillow's font has: é becomes e, and what has no likeness "?"."""
    likenesses = unicodedata.normalize("NFKD", text.translate(str.maketrans("–—−×\n\r\t", "---x   ")))
    letters = (letter for letter in likenesses if not unicodedata.combining(letter))
    return "".join(letter if " " <= letter <= "~" or letter in "°±·" else "?" for letter in letters)
