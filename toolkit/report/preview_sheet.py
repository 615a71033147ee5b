"""The preview sheet: images as they are and as training sees them, the targets drawn over each."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageOps

from toolkit.core.masks.labels import IGNORE, Activation
from toolkit.report.colours import CLASS_COLOURS, CLASS_STRENGTH, IGNORE_COLOUR, IGNORE_STRENGTH
from toolkit.report.drawing import (
    GROUP_GAP,
    LETTERBOX,
    MARGIN,
    PAPER,
    QUIET_INK,
    ROW_GAP,
    RULE,
    SMALLEST_TILE,
    TEXT_SIZE,
    TILE_GAP,
    TITLE_SIZE,
    WIDEST_SHEET,
    WIDEST_TILE,
    Picture,
    Plane,
    as_bytes,
    as_rgb,
    flowed,
    joined,
    outline,
    resized,
    swatch,
    text_line,
    text_width,
    tinted,
)

ORIGINAL_GAP = 16  # between the image as it is and its variants
STRIPE = 8  # pixels from one stripe over void to the next


@dataclass(frozen=True, eq=False)  # arrays have no single truth value to compare by
class PreviewSample:
    """An image with its targets.

    `image` is (height, width, channels) uint8; `targets` (height, width, classes) are 0-1 as uint8 or float32, IGNORE
    in all planes of ignored pixels.
    """

    image: npt.NDArray[np.uint8]
    targets: npt.NDArray[np.uint8] | npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.image.ndim != 3 or self.targets.ndim != 3 or self.image.shape[:2] != self.targets.shape[:2]:
            raise ValueError(
                "need an image (height, width, channels) and targets (height, width, classes), got "
                f"{self.image.shape} and {self.targets.shape}"
            )


@dataclass(frozen=True, eq=False)
class PreviewRow:
    """One image of the sheet: a line of text, the image as it is, and its variants."""

    caption: str
    original: PreviewSample
    variants: Sequence[PreviewSample]


def preview_sheet(
    title: str,
    notes: Sequence[str],
    rows: Sequence[PreviewRow],
    activation: Activation,
    *,
    names: Sequence[str] | None = None,
    tile_height: int = 144,
) -> npt.NDArray[np.uint8]:
    """Draw rows of an image and its variants under a title, notes and a legend.

    Rows stand in two blocks side by side where the sheet stays narrower than a full HD screen. With softmax the first
    class counts as background and is not tinted.

    Args:
        title: one line.
        notes: short texts, put beside each other on as many lines as they need.
        rows: at least one, with equally many variants and classes.
        activation: how the targets are to be read.
        names: of all classes, for the legend; numbers if left out.
        tile_height: the tiles' at most; they are at most 4/3 of it wide.

    Returns:
        The sheet as (height, width, 3) uint8 RGB.

    Raises:
        ValueError: no row, rows that differ, or a tile height under 16.
    """
    if tile_height < SMALLEST_TILE:
        raise ValueError(f"tile_height must be at least {SMALLEST_TILE}, got {tile_height}")
    if len({(len(row.variants), row.original.targets.shape[2]) for row in rows}) != 1:
        raise ValueError("need at least one row, and all rows with as many variants and classes")
    first = 1 if activation == "softmax" else 0
    strips = [_row(row, tile_height, first) for row in rows]
    half = -(-len(strips) // 2)
    block_width = max(strip.width for strip in strips)
    beside = len(strips) > 1 and 2 * block_width + GROUP_GAP + 2 * MARGIN <= WIDEST_SHEET
    heading = _headings(rows[0], strips[0].width, tile_height)
    blocks = [joined([heading, *part], ROW_GAP, beside=False) for part in _parts(strips, half if beside else None)]
    body = joined(blocks, GROUP_GAP, beside=True)
    with_ignored = any((sample.targets == IGNORE).any() for row in rows for sample in (row.original, *row.variants))
    classes = rows[0].original.targets.shape[2]
    shown = names or (["foreground"] if classes == 1 else [f"class {number}" for number in range(classes)])
    legend = class_legend(shown[first:], with_ignored)
    sheet = joined([_header(title, notes, legend, max(body.width, 480)), body], MARGIN, beside=False)
    return np.array(ImageOps.expand(sheet, MARGIN, PAPER), dtype=np.uint8)


def _parts(strips: Sequence[Image.Image], size: int | None) -> list[Sequence[Image.Image]]:
    return [strips] if size is None else [strips[:size], strips[size:]]


def _fitted(sample: PreviewSample, tile_height: int) -> tuple[int, int]:
    """Width and height of a tile."""
    height, width = sample.image.shape[:2]
    scale = min(tile_height / height, tile_height * WIDEST_TILE / width)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _row(row: PreviewRow, tile_height: int, first: int) -> Image.Image:
    size = _fitted(row.original, tile_height)
    tiles = [Image.fromarray(class_tile(sample, size, first)) for sample in (row.original, *row.variants)]
    variants = joined(tiles[1:], TILE_GAP, beside=True)
    strip = joined([tiles[0], variants], ORIGINAL_GAP, beside=True)
    return joined([text_line(row.caption, TEXT_SIZE, (strip.width, 22)), strip], 0, beside=False)


def _headings(row: PreviewRow, width: int, tile_height: int) -> Image.Image:
    """What the columns are, above a rule."""
    tile = _fitted(row.original, tile_height)[0]
    original = text_line("as it is", TEXT_SIZE, (tile, 24), QUIET_INK)
    variants = text_line("as training sees it", TEXT_SIZE, (max(1, width - tile - ORIGINAL_GAP), 24), QUIET_INK)
    line = joined([original, variants], ORIGINAL_GAP, beside=True)
    ImageDraw.Draw(line).line((0, 23, line.width, 23), fill=RULE)
    return line


def class_tile(sample: PreviewSample, size: tuple[int, int], first: int) -> Picture:
    """The image with its targets, `size` (width, height): each class tinted and outlined, void striped."""
    picture = resized(as_rgb(sample.image), size, cv2.INTER_LINEAR)
    ignored = (sample.targets == IGNORE).all(axis=2)
    outlines = []
    for number in range(first, sample.targets.shape[2]):
        plane = np.where(ignored, 0, sample.targets[..., number]).astype(np.float32)
        part = resized(plane, size, cv2.INTER_NEAREST_EXACT)
        colour = CLASS_COLOURS[(number - first) % len(CLASS_COLOURS)]
        picture = tinted(picture, part, colour, CLASS_STRENGTH)
        outlines.append((outline(part, 1), colour))
    for line, colour in outlines:
        picture = tinted(picture, line, colour, 1.0)
    striped = resized(ignored, size, cv2.INTER_NEAREST_EXACT) * _stripes(size)
    return as_bytes(tinted(picture, striped, IGNORE_COLOUR, IGNORE_STRENGTH))


def _stripes(size: tuple[int, int]) -> Plane:
    """Diagonal stripes as (height, width), 0 or 1."""
    rows, columns = np.indices((size[1], size[0]))
    return ((rows + columns) % STRIPE < STRIPE / 2).astype(np.float32)


def _header(title: str, notes: Sequence[str], legend: Sequence[Image.Image], width: int) -> Image.Image:
    described = [text_line(note, TEXT_SIZE, (min(width, text_width(note, TEXT_SIZE)), 20)) for note in notes]
    top = text_line(title, TITLE_SIZE, (width, 40))
    return joined([top, *flowed(described, width), *flowed(legend, width)], 4, beside=False)


def class_legend(names: Sequence[str], with_ignored: bool) -> list[Image.Image]:
    """What the colours of `class_tile` mean: those of all classes but a background, and void."""
    legend = [
        swatch(name, CLASS_COLOURS[place % len(CLASS_COLOURS)], CLASS_STRENGTH) for place, name in enumerate(names)
    ]
    return [*legend, _ignored_swatch()] if with_ignored else legend


def _ignored_swatch() -> Image.Image:
    grey = tinted(np.full((14, 14, 3), LETTERBOX, np.float32), _stripes((14, 14)), IGNORE_COLOUR, IGNORE_STRENGTH)
    square = ImageOps.expand(Image.fromarray(as_bytes(grey)), (0, 2), PAPER)
    label = "ignored: neither trained on nor scored"
    return joined([square, text_line(label, TEXT_SIZE, (text_width(label, TEXT_SIZE), 18))], 6, beside=True)
