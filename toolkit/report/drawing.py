"""What pictures are drawn with: tinted images, text, legends, tiles beside and below each other."""

import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from math import ceil
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont, ImageOps

from toolkit.report.colours import CLASS_STRENGTH, INK, PAPER, Colour, class_colour

Picture = npt.NDArray[np.uint8]
"""`(height, width, 3)`, RGB."""
Plane = npt.NDArray[np.float32]
"""`(height, width)`, or `(height, width, 3)` for a picture that is still drawn on."""

TITLE_SIZE, HEADING_SIZE, TEXT_SIZE, SCALE_SIZE = 24, 18, 14, 12
MARGIN, TILE_GAP, ROW_GAP, GROUP_GAP = 20, 6, 12, 28
SMALLEST_TILE = 16
_WIDEST_TILE = 4 / 3  # of the tile height: two groups of such tiles beside each other fit a full HD screen
_VERY_LARGE = 1 << 24  # pixels
WIDEST_SHEET = 1900  # groups that would be wider beside each other are stacked


def resized(plane: npt.NDArray[np.bool_ | np.uint8 | np.float32], size: tuple[int, int], enlarging: int) -> Plane:
    """Resize to (width, height); shrinking averages, so that thin structures fade instead of vanishing.

    Very large arrays are shrunk in their own type, because `float32` would take four times the memory.
    """
    shrinks = size[0] < plane.shape[1] or size[1] < plane.shape[0]
    how = cv2.INTER_AREA if shrinks else enlarging
    if plane.ndim == 3:  # channel by channel, because a large image as `float32` takes four times its memory
        return np.stack([resized(plane[..., channel], size, enlarging) for channel in range(plane.shape[2])], axis=-1)
    if shrinks and plane.size >= _VERY_LARGE and plane.dtype == np.uint8:
        return cv2.resize(np.ascontiguousarray(plane), size, interpolation=how).astype(np.float32)
    if shrinks and plane.size >= _VERY_LARGE and plane.dtype == np.bool_:
        return resized(plane.view(np.uint8) * np.uint8(255), size, enlarging) / np.float32(255)
    return np.asarray(cv2.resize(np.ascontiguousarray(plane, np.float32), size, interpolation=how), np.float32)


def tinted(picture: Plane, mask: Plane, colour: Colour, strength: float) -> Plane:
    """Lay a colour over a picture where the mask (height, width), 0–1, is set."""
    weight = mask[..., np.newaxis] * np.float32(strength)
    return picture * (1 - weight) + np.array(colour, dtype=np.float32) * weight


def with_classes(picture: Plane, masks: Iterable[tuple[int, npt.NDArray[Any]]], size: tuple[int, int]) -> Plane:
    """Tint and outline the classes in a picture of `size` (width, height).

    `masks` are pairs of the number of a class, counted without the background, and its mask (height, width), 0–1.
    """
    outlines = []
    for number, mask in masks:
        plane = resized(mask, size, cv2.INTER_NEAREST_EXACT)
        picture = tinted(picture, plane, class_colour(number), CLASS_STRENGTH)
        outlines.append((outline(plane, 1), class_colour(number)))
    for line, colour in outlines:
        picture = tinted(picture, line, colour, 1.0)
    return picture


def darkened(picture: Plane) -> Plane:
    """The picture (height, width, 3) in dark grey, so that colours come only from what is laid over it."""
    return np.repeat(picture.mean(axis=2, keepdims=True) * np.float32(0.55), 3, axis=2)


def as_rgb(image: Picture) -> Picture:
    """The first three channels; of an image with fewer, the first one as grey."""
    return image[..., :3] if image.shape[2] >= 3 else np.repeat(image[..., :1], 3, axis=2)


def outline(mask: Plane, thickness: int = 2) -> Plane:
    """The inner border of a mask, some pixels thick, also where it touches the edge of the picture."""
    inside = (mask >= 0.5).astype(np.uint8)
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    core = cv2.erode(inside, cross, iterations=thickness, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(inside - core, dtype=np.float32)


def as_bytes(picture: Plane) -> Picture:
    """Values 0–255 as `uint8`, rounded and clipped."""
    return np.rint(np.clip(picture, 0, 255)).astype(np.uint8)


def fitted(size: tuple[int, int], tile_height: int, widest: float = _WIDEST_TILE) -> tuple[int, int]:
    """Width and height of a tile for an image of `size` (height, width), which keeps its aspect.

    A tile is at most `tile_height` high and `widest` times that wide.
    """
    height, width = size
    scale = min(tile_height / height, widest * tile_height / width)
    return max(1, round(width * scale)), max(1, round(height * scale))


def viridis(probability: Plane) -> Picture:
    """Probabilities `float32 (height, width)`, 0–1, in the colours of viridis."""
    coloured = cv2.applyColorMap(as_bytes(probability * 255), cv2.COLORMAP_VIRIDIS)
    return np.asarray(cv2.cvtColor(coloured, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def header(title: str, notes: Sequence[str], legend: Sequence[Image.Image], width: int) -> Image.Image:
    """A title, short notes and a legend, notes and legend on as many lines as they need."""
    described = [text_line(note, TEXT_SIZE, (min(width, text_width(note, TEXT_SIZE)), 20)) for note in notes]
    top = text_line(title, TITLE_SIZE, (width, 40))
    return joined([top, *flowed(described, width), *flowed(legend, width)], 4, beside=False)


def probability_scale() -> Image.Image:
    """A legend of the colours of probabilities from 0 to 1, with a mark at 0.5."""
    label, length = "probability", 160
    left = text_width(label, TEXT_SIZE) + 12
    item = Image.new("RGB", (left + length + 6, 34), PAPER)
    item.paste(text_line(label, TEXT_SIZE, (left, 18)))
    ramp = np.tile(np.linspace(0, 1, length, dtype=np.float32), (12, 1))
    item.paste(Image.fromarray(viridis(ramp)), (left, 3))
    draw = ImageDraw.Draw(item)
    for text, where in (("0", left), ("0.5", left + length // 2), ("1", left + length - 1)):
        draw.line((where, 15, where, 19), fill=INK)
        draw.text((where, 26), text, fill=INK, font=ImageFont.load_default(SCALE_SIZE), anchor="mm")
    draw.line((left + length // 2, 3, left + length // 2, 14), fill=PAPER)
    return item


def swatch(label: str, colour: Colour, strength: float) -> Image.Image:
    """A legend item: a square in the colour, drawn as in tiles, and its label."""
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
    """Items beside each other, on as many lines as the width needs."""
    lines: list[list[Image.Image]] = [[]]
    for item in items:
        if lines[-1] and sum(other.width + MARGIN for other in lines[-1]) + item.width > width:
            lines.append([])
        lines[-1].append(item)
    return [joined(line, MARGIN, beside=True) for line in lines if line]


def text_width(text: str, size: int) -> int:
    """The width of a line of text in pixels."""
    return ceil(ImageFont.load_default(size).getlength(text))


def text_line(
    text: str, size: int, box: tuple[int, int], colour: Colour = INK, *, centred: bool = False
) -> Image.Image:
    """One line of text in a box (width, height), shortened with an ellipsis if the box is too narrow."""
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
    """The text on one line, in the characters of Pillow's font: é becomes e, unknown characters become "?"."""
    likenesses = unicodedata.normalize("NFKD", text.translate(str.maketrans("–—−×\n\r\t", "---x   ")))
    letters = (letter for letter in likenesses if not unicodedata.combining(letter))
    return "".join(letter if " " <= letter <= "~" or letter in "°±·" else "?" for letter in letters)
