"""The overlay sheet: rows of image, truth, probability, mask and difference."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageOps

from toolkit.report.colours import (
    FALSE_NEGATIVE,
    FALSE_POSITIVE,
    LETTERBOX,
    MASK,
    PAPER,
    QUIET_INK,
    RULE,
    TRUE_POSITIVE,
    TRUTH,
)
from toolkit.report.drawing import (
    GROUP_GAP,
    HEADING_SIZE,
    MARGIN,
    ROW_GAP,
    SMALLEST_TILE,
    TEXT_SIZE,
    TILE_GAP,
    WIDEST_SHEET,
    Picture,
    as_bytes,
    fitted,
    header,
    joined,
    outline,
    probability_scale,
    resized,
    swatch,
    text_line,
    text_width,
    tinted,
    viridis,
)

TRUTH_STRENGTH, MASK_STRENGTH, TRUE_POSITIVE_STRENGTH = 0.35, 0.55, 0.7  # 1 hides the image, as wrong pixels do

COLUMNS = ("image", "truth", "probability", "mask", "difference")


@dataclass(frozen=True, eq=False)  # arrays have no single truth value to compare rows by
class OverlayRow:
    """One image of the sheet.

    `caption` is a line of text. `image` is `uint8 (height, width, 3)`, RGB; `truth` and `mask` are `bool (height,
    width)`; `probability` is `float32 (height, width)`, 0–1, and clipped to that.

    Raises:
        ValueError: the image has no pixels, the sizes differ, or a probability is NaN.
    """

    caption: str
    image: npt.NDArray[np.uint8]
    truth: npt.NDArray[np.bool_]
    probability: npt.NDArray[np.float32]
    mask: npt.NDArray[np.bool_]

    def __post_init__(self) -> None:
        planes = {"truth": self.truth, "probability": self.probability, "mask": self.mask}
        size = self.image.shape[:2]
        if self.image.shape != (*size, 3) or 0 in size or any(plane.shape != size for plane in planes.values()):
            sizes = ", ".join(f"{name} {plane.shape}" for name, plane in {"image": self.image, **planes}.items())
            raise ValueError(
                f"{self.caption!r}: expected image (height, width, 3) and planes (height, width), received {sizes}"
            )
        if np.isnan(self.probability).any():
            raise ValueError(f"{self.caption!r}: the probability holds NaN")


@dataclass(frozen=True, eq=False)
class _Drawn:
    """A drawn row: its caption and the tiles of COLUMNS."""

    caption: str
    tiles: Sequence[Picture]


def overlay_sheet(
    title: str, groups: Sequence[tuple[str, Iterable[OverlayRow]]], *, tile_height: int = 128
) -> npt.NDArray[np.uint8]:
    """Draw groups of rows under a title and a legend.

    Groups are beside each other if the sheet stays narrower than a full HD screen, otherwise below each other. Each row
    is drawn before the next one is taken from its iterable, so that only one image is in memory.

    Args:
        title: one line.
        groups: pairs of a heading and rows; a group may be empty.
        tile_height: the largest height of a tile in pixels; a tile is at most 4/3 of it wide.

    Returns:
        The sheet, `uint8 (height, width, 3)`, RGB.

    Raises:
        ValueError: the tile height is below 16.
    """
    if tile_height < SMALLEST_TILE:
        raise ValueError(f"tile_height: expected at least {SMALLEST_TILE}, received {tile_height}")
    drawn = [(heading, [_drawn(row, tile_height) for row in rows]) for heading, rows in groups]
    cell = _cell_size([row for _, rows in drawn for row in rows], tile_height)
    blocks = [_group(heading, rows, cell) for heading, rows in drawn]
    side_by_side = len(blocks) * (_group_width(cell) + GROUP_GAP) - GROUP_GAP + 2 * MARGIN <= WIDEST_SHEET
    body = joined(blocks, GROUP_GAP, beside=side_by_side)
    top = header(title, (), _legend(), max(body.width, _group_width(cell)))
    sheet = joined([top, body], MARGIN, beside=False)
    return np.array(ImageOps.expand(sheet, MARGIN, PAPER), dtype=np.uint8)


def _drawn(row: OverlayRow, tile_height: int) -> _Drawn:
    height, width = row.truth.shape
    return _Drawn(row.caption, _tiles(row, fitted((height, width), tile_height)))


def _cell_size(rows: Sequence[_Drawn], tile_height: int) -> tuple[int, int]:
    """The width and height that hold every tile and every column heading."""
    tiles = [row.tiles[0].shape[:2] for row in rows] or [(tile_height, tile_height)]
    heading_width = max(text_width(column, TEXT_SIZE) for column in COLUMNS)
    return max(heading_width, *(width for _, width in tiles)), max(height for height, _ in tiles)


def _group_width(cell: tuple[int, int]) -> int:
    return len(COLUMNS) * (cell[0] + TILE_GAP) - TILE_GAP


def _group(heading: str, rows: Sequence[_Drawn], cell: tuple[int, int]) -> Image.Image:
    """Heading, column headings and rows."""
    width = _group_width(cell)
    top = text_line(heading, HEADING_SIZE, (width, 30))
    ImageDraw.Draw(top).line((0, 29, width, 29), fill=RULE)
    if not rows:
        return joined([top, text_line("none", TEXT_SIZE, (width, 28), QUIET_INK)], 0, beside=False)
    columns = [text_line(column, TEXT_SIZE, (cell[0], 28), QUIET_INK, centred=True) for column in COLUMNS]
    strips = joined([_row(row, cell) for row in rows], ROW_GAP, beside=False)
    return joined([top, joined(columns, TILE_GAP, beside=True), strips], 0, beside=False)


def _row(row: _Drawn, cell: tuple[int, int]) -> Image.Image:
    """Caption and five tiles, each in the middle of its cell."""
    cells = []
    for tile in row.tiles:
        cells.append(Image.new("RGB", cell, LETTERBOX))
        height, width = tile.shape[:2]
        cells[-1].paste(Image.fromarray(tile), ((cell[0] - width) // 2, (cell[1] - height) // 2))
    caption = text_line(row.caption, TEXT_SIZE, (_group_width(cell), 22))
    return joined([caption, joined(cells, TILE_GAP, beside=True)], 0, beside=False)


def _tiles(row: OverlayRow, size: tuple[int, int]) -> list[Picture]:
    """The tiles of a row in the order of COLUMNS, each of `size` (width, height)."""
    image = resized(row.image, size, cv2.INTER_LINEAR)
    truth, mask, *compared = (
        resized(plane, size, cv2.INTER_NEAREST_EXACT)
        for plane in (row.truth, row.mask, row.truth & row.mask, row.truth & ~row.mask, row.mask & ~row.truth)
    )
    probability = np.clip(resized(row.probability, size, cv2.INTER_LINEAR), 0, 1)
    # Grey and dark, so that colours in the difference tile come from the comparison alone.
    difference = np.repeat(image.mean(axis=2, keepdims=True) * np.float32(0.55), 3, axis=2)
    colours = ((TRUE_POSITIVE, TRUE_POSITIVE_STRENGTH), (FALSE_NEGATIVE, 1.0), (FALSE_POSITIVE, 1.0))
    for plane, (colour, strength) in zip(compared, colours, strict=True):
        difference = tinted(difference, plane, colour, strength)
    return [
        as_bytes(image),
        as_bytes(tinted(tinted(image, truth, TRUTH, TRUTH_STRENGTH), outline(truth), TRUTH, 1.0)),
        viridis(probability),
        as_bytes(tinted(image, mask, MASK, MASK_STRENGTH)),
        as_bytes(difference),
    ]


def _legend() -> list[Image.Image]:
    return [
        swatch("truth", TRUTH, TRUTH_STRENGTH),
        swatch("mask", MASK, 1.0),
        swatch("true positive", TRUE_POSITIVE, 1.0),
        swatch("false negative", FALSE_NEGATIVE, 1.0),
        swatch("false positive", FALSE_POSITIVE, 1.0),
        probability_scale(),
    ]
