"""The data sheet: images as training reads them, each beside its mask."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageOps

from toolkit.core.masks.labels import IGNORE, Activation
from toolkit.report.colours import LETTERBOX, PAPER, QUIET_INK, RULE
from toolkit.report.drawing import (
    MARGIN,
    ROW_GAP,
    TEXT_SIZE,
    TILE_GAP,
    WIDEST_SHEET,
    fitted,
    header,
    joined,
    text_line,
)
from toolkit.report.preview_sheet import PreviewSample, class_legend, class_tile

_NARROWEST_CELL = 420
_GAP_BETWEEN = 24
_WIDEST_TILE = 2.0  # of its height


@dataclass(frozen=True, eq=False)  # arrays have no single truth value to compare by
class SheetSample:
    """An image with its targets and two lines of text: its name, and why it is shown."""

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
    """Draw each image beside itself with its mask, as many pairs beside each other as fit a full HD screen.

    With softmax the first class is background and is not tinted.

    Args:
        title: one line.
        notes: short texts below it.
        samples: at least one.
        activation: of the targets: whether classes are independent or exclusive.
        names: of all classes, for the legend.
        tile_height: the largest height of a tile in pixels; a tile is at most twice as wide.

    Returns:
        `uint8 (height, width, 3)`, RGB.
    """
    first = 1 if activation == "softmax" else 0
    width = max(fitted(shown.sample.size, tile_height, _WIDEST_TILE)[0] for shown in samples)
    cell = (max(2 * width + TILE_GAP, _NARROWEST_CELL), tile_height)
    columns = max(1, min(len(samples), (WIDEST_SHEET - 2 * MARGIN + _GAP_BETWEEN) // (cell[0] + _GAP_BETWEEN)))
    cells = [_cell(shown, cell, first) for shown in samples]
    rows = [
        joined(cells[begin : begin + columns], _GAP_BETWEEN, beside=True) for begin in range(0, len(cells), columns)
    ]
    body = joined(rows, ROW_GAP, beside=False)
    with_ignored = any((shown.sample.targets == IGNORE).any() for shown in samples)
    top = header(title, notes, class_legend(names[first:], with_ignored), body.width)
    sheet = joined([top, body], MARGIN, beside=False)
    return np.array(ImageOps.expand(sheet, MARGIN, PAPER), dtype=np.uint8)


def _cell(shown: SheetSample, cell: tuple[int, int], first: int) -> Image.Image:
    """Two lines of text above the image and the image with its mask."""
    size = fitted(shown.sample.size, cell[1], _WIDEST_TILE)
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
