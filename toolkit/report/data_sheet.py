"""The data sheet: images as training reads them, each beside its mask."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from toolkit.core.masks.labels import Activation
from toolkit.report.colours import LETTERBOX, PAPER, QUIET_INK, RULE
from toolkit.report.drawing import (
    MARGIN,
    ROW_GAP,
    TILE_GAP,
    WIDEST_SHEET,
    fitted,
    header,
    joined,
)
from toolkit.report.lettering import TEXT_SIZE, text_line
from toolkit.report.preview_sheet import PreviewSample, class_legend, class_tile, first_shown, labels_in

_NARROWEST_TILE = 150
_GAP_BETWEEN = 24
_NARROWEST_HEADER = 700
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

    All tiles have places of one size, which the widest image fills.

    With softmax the first class is background and is not tinted.

    Args:
        title: one line.
        notes: short texts below it.
        samples: at least one.
        activation: of the targets: whether classes are independent or exclusive.
        names: of all classes; the legend shows those that occur.
        tile_height: the largest height of a tile in pixels; a tile is at most twice as wide.

    Returns:
        `uint8 (height, width, 3)`, RGB.
    """
    sizes = [fitted(shown.sample.size, tile_height, _WIDEST_TILE) for shown in samples]
    place = (max(_NARROWEST_TILE, *(width for width, _ in sizes)), max(height for _, height in sizes))
    width = 2 * place[0] + TILE_GAP
    columns = max(1, min(len(samples), (WIDEST_SHEET - 2 * MARGIN + _GAP_BETWEEN) // (width + _GAP_BETWEEN)))
    first = first_shown(activation)
    cells = [_cell(shown, size, place, first) for shown, size in zip(samples, sizes, strict=True)]
    rows = [
        joined(cells[begin : begin + columns], _GAP_BETWEEN, beside=True) for begin in range(0, len(cells), columns)
    ]
    body = joined(rows, ROW_GAP, beside=False)
    occurring = labels_in(shown.sample.targets for shown in samples)
    top = header(title, notes, class_legend(names, activation, occurring), max(body.width, _NARROWEST_HEADER))
    sheet = joined([top, body], MARGIN, beside=False)
    return np.array(ImageOps.expand(sheet, MARGIN, PAPER), dtype=np.uint8)


def _cell(shown: SheetSample, size: tuple[int, int], place: tuple[int, int], first: int) -> Image.Image:
    """Two lines of text above the image and the image with its mask, each in the middle of its place."""
    plain = PreviewSample(shown.sample.image, np.zeros_like(shown.sample.targets))
    tiles = []
    for sample in (plain, shown.sample):
        tiles.append(Image.new("RGB", place, LETTERBOX))
        corner = ((place[0] - size[0]) // 2, (place[1] - size[1]) // 2)
        tiles[-1].paste(Image.fromarray(class_tile(sample, size, first)), corner)
    pair = joined(tiles, TILE_GAP, beside=True)
    lines = [
        text_line(shown.title, TEXT_SIZE, (pair.width, 20)),
        text_line(shown.reason, TEXT_SIZE, (pair.width, 20), QUIET_INK),
    ]
    rule = Image.new("RGB", (pair.width, 1), RULE)
    return joined([rule, *lines, pair], 2, beside=False)
