"""The sheet of samples: images as training reads them, each beside its mask."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageOps

from toolkit.core.masks.labels import IGNORE, Activation
from toolkit.report.drawing import (
    LETTERBOX,
    MARGIN,
    PAPER,
    QUIET_INK,
    ROW_GAP,
    RULE,
    TEXT_SIZE,
    TILE_GAP,
    TITLE_SIZE,
    WIDEST_SHEET,
    flowed,
    joined,
    text_line,
    text_width,
)
from toolkit.report.preview_sheet import PreviewSample, class_legend, class_tile

_LEAST_COLUMNS_WIDTH = 420
_GAP_BETWEEN = 24


@dataclass(frozen=True, eq=False)  # arrays have no single truth value to compare by
class SheetSample:
    """One image with its targets and two lines about it: what it is, and why it is shown."""

    title: str
    reason: str
    sample: PreviewSample


def data_sheet(
    title: str,
    notes: Sequence[str],
    samples: Sequence[SheetSample],
    activation: Activation,
    names: Sequence[str],
    *,
    tile_height: int = 180,
) -> npt.NDArray[np.uint8]:
    """Draw pairs of an image and its mask over it, as many beside each other as a full HD screen takes.

    With softmax the first class counts as background and is not tinted.

    Args:
        title: one line.
        notes: short texts below it.
        samples: at least one.
        activation: how the targets are to be read.
        names: of all classes, for the legend.
        tile_height: the tiles' at most; they are at most twice as wide.

    Returns:
        `uint8 (height, width, 3)`, RGB.
    """
    first = 1 if activation == "softmax" else 0
    width = max(_fitted(shown.sample, tile_height)[0] for shown in samples)
    cell = (max(2 * width + TILE_GAP, _LEAST_COLUMNS_WIDTH), tile_height)
    columns = max(1, min(len(samples), (WIDEST_SHEET - 2 * MARGIN + _GAP_BETWEEN) // (cell[0] + _GAP_BETWEEN)))
    cells = [_cell(shown, cell, first) for shown in samples]
    rows = [
        joined(cells[begin : begin + columns], _GAP_BETWEEN, beside=True) for begin in range(0, len(cells), columns)
    ]
    body = joined(rows, ROW_GAP, beside=False)
    with_ignored = any((shown.sample.targets == IGNORE).any() for shown in samples)
    legend = class_legend(names[first:], with_ignored)
    described = [text_line(note, TEXT_SIZE, (min(body.width, text_width(note, TEXT_SIZE)), 20)) for note in notes]
    head = [
        text_line(title, TITLE_SIZE, (body.width, 40)),
        *flowed(described, body.width),
        *flowed(legend, body.width),
    ]
    sheet = joined([joined(head, 4, beside=False), body], MARGIN, beside=False)
    return np.array(ImageOps.expand(sheet, MARGIN, PAPER), dtype=np.uint8)


def _cell(shown: SheetSample, cell: tuple[int, int], first: int) -> Image.Image:
    """Two lines of text above the image and, beside it, the image with its mask."""
    size = _fitted(shown.sample, cell[1])
    plain = PreviewSample(shown.sample.image, np.zeros_like(shown.sample.targets))
    tiles = [Image.fromarray(class_tile(sample, size, first)) for sample in (plain, shown.sample)]
    pair = Image.new("RGB", cell, PAPER)
    ImageDraw.Draw(pair).rectangle((0, 0, 2 * size[0] + TILE_GAP - 1, size[1] - 1), fill=LETTERBOX)
    pair.paste(joined(tiles, TILE_GAP, beside=True), (0, 0))
    lines = [
        text_line(shown.title, TEXT_SIZE, (cell[0], 20)),
        text_line(shown.reason, TEXT_SIZE, (cell[0], 20), QUIET_INK),
    ]
    rule = Image.new("RGB", (cell[0], 1), RULE)
    return joined([rule, *lines, pair], 2, beside=False)


def _fitted(sample: PreviewSample, tile_height: int) -> tuple[int, int]:
    """Width and height of a tile."""
    height, width = sample.image.shape[:2]
    scale = min(tile_height / height, 2 * tile_height / width)
    return max(1, round(width * scale)), max(1, round(height * scale))
