"""What pictures are drawn with: tinted images, text, legends, tiles beside and below each other."""

from collections.abc import Iterable, Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageOps

from toolkit.report.colours import CLASS_STRENGTH, INK, PAPER, QUIET_INK, RULE, Colour, class_colour
from toolkit.report.lettering import SCALE_SIZE, TEXT_SIZE, TITLE_SIZE, font_of, text_line, text_width, wrapped

Picture = npt.NDArray[np.uint8]
"""`(height, width, 3)`, RGB."""
Plane = npt.NDArray[np.float32]
"""`(height, width)`, or `(height, width, 3)` for a picture that is still drawn on."""

MARGIN, TILE_GAP, ROW_GAP, GROUP_GAP = 20, 6, 12, 28
SMALLEST_TILE = 16
_TITLE_LINES, _NOTE_LINES = 2, 3
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
    """A title, notes and a legend, each on as many lines as it needs, the title and each note on a few at most."""
    top = text_block(title, TITLE_SIZE, width, 32, lines=_TITLE_LINES)
    described = [text_block(note, TEXT_SIZE, width, 20, QUIET_INK, lines=_NOTE_LINES) for note in notes]
    return joined([top, *flowed(described, width), *flowed(legend, width)], 4, beside=False)


def text_block(text: str, size: int, width: int, height: int, colour: Colour = INK, *, lines: int) -> Image.Image:
    """Text on up to so many lines, each of a height, at most as wide as `width`; an ellipsis ends what is cut off."""
    shown = wrapped(text, size, width, lines)
    widest = min(width, max(text_width(line, size) for line in shown))
    return joined([text_line(line, size, (widest, height), colour) for line in shown], 0, beside=False)


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
        draw.text((where, 26), text, fill=INK, font=font_of(SCALE_SIZE), anchor="mm")
    draw.line((left + length // 2, 3, left + length // 2, 14), fill=PAPER)
    return item


def swatch(label: str, colour: Colour, strength: float) -> Image.Image:
    """A legend item: a square in the colour, drawn as in tiles, and its label."""
    whole = np.ones((14, 14), np.float32)
    fill = tinted(np.full((14, 14, 3), PAPER, np.float32), whole, colour, strength)
    return legend_item(as_bytes(tinted(fill, outline(whole), colour, 1.0)), label)


def untinted_swatch(name: str) -> Image.Image:
    """The legend item of a class that is not tinted: an empty square."""
    square = np.full((14, 14, 3), PAPER, np.float32)
    return legend_item(
        as_bytes(tinted(square, outline(np.ones((14, 14), np.float32), 1), RULE, 1.0)), f"{name} (no colour)"
    )


def legend_item(square: Picture, label: str) -> Image.Image:
    """A square of 14 pixels and its label."""
    sample = ImageOps.expand(Image.fromarray(square), (0, 2), PAPER)
    return joined([sample, text_line(label, TEXT_SIZE, (text_width(label, TEXT_SIZE), 18))], 6, beside=True)


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
