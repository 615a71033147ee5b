"""The overlay sheet: best and worst images as rows of image, truth, probability, mask and difference."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageOps

from toolkit.report.colours import (
    FALSE_ALARM,
    HIT,
    HIT_STRENGTH,
    MASK,
    MASK_STRENGTH,
    MISS,
    TRUTH,
    TRUTH_STRENGTH,
    probability_scale,
    viridis,
)
from toolkit.report.drawing import (
    GROUP_GAP,
    HEADING_SIZE,
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
    as_bytes,
    flowed,
    joined,
    outline,
    resized,
    swatch,
    text_line,
    text_width,
    tinted,
)

COLUMNS = ("image", "truth", "probability", "mask", "difference")


@dataclass(frozen=True, eq=False)  # arrays have no single truth value to compare rows by
class OverlayRow:
    """One image of the sheet.

    `caption` is a line of text; `image` is (height, width, 3) uint8 RGB; `truth` and `mask` (what would be submitted)
    are (height, width) bool; `probability` is (height, width) float32, 0-1 (values beyond are drawn as the nearer end).
    Raises ValueError for an image without pixels, for sizes that disagree and for a probability that is NaN.
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
            raise ValueError(f"{self.caption!r}: need image (height, width, 3), the rest (height, width), got {sizes}")
        if np.isnan(self.probability).any():
            raise ValueError(f"{self.caption!r}: the probability has NaN")


@dataclass(frozen=True, eq=False)
class _Drawn:
    """A row as it is drawn: its caption and the pictures of COLUMNS."""

    caption: str
    tiles: Sequence[Picture]


def overlay_sheet(
    title: str, groups: Sequence[tuple[str, Iterable[OverlayRow]]], *, tile_height: int = 128
) -> npt.NDArray[np.uint8]:
    """Draw groups of rows under a title and a legend; each group is a heading with its rows.

    Tiles are scaled to at most `tile_height` pixels high and 4/3 of that wide, keeping their aspect. Groups stand side
    by side where the sheet stays narrower than a full HD screen, else below each other; one without rows says "none".
    Each row is drawn before the next one is asked for, so that images may be large.
    Returns the sheet as (height, width, 3) uint8 RGB. Raises ValueError for a tile height under 16.
    """
    if tile_height < SMALLEST_TILE:
        raise ValueError(f"tile_height must be at least {SMALLEST_TILE}, got {tile_height}")
    drawn = [(heading, [_drawn(row, tile_height) for row in rows]) for heading, rows in groups]
    cell = _cell_size([row for _, rows in drawn for row in rows], tile_height)
    blocks = [_group(heading, rows, cell) for heading, rows in drawn]
    side_by_side = len(blocks) * (_group_width(cell) + GROUP_GAP) - GROUP_GAP + 2 * MARGIN <= WIDEST_SHEET
    body = joined(blocks, GROUP_GAP, beside=side_by_side)
    sheet = joined([_header(title, max(body.width, _group_width(cell))), body], MARGIN, beside=False)
    return np.array(ImageOps.expand(sheet, MARGIN, PAPER), dtype=np.uint8)


def _fitted(row: OverlayRow, tile_height: int) -> tuple[int, int]:
    """Width and height of the row's tiles."""
    height, width = row.truth.shape
    scale = min(tile_height / height, tile_height * WIDEST_TILE / width)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _drawn(row: OverlayRow, tile_height: int) -> _Drawn:
    return _Drawn(row.caption, _tiles(row, _fitted(row, tile_height)))


def _cell_size(rows: Sequence[_Drawn], tile_height: int) -> tuple[int, int]:
    """Width and height that hold every tile of the sheet and every column heading."""
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
    """The five pictures of a row in the order of COLUMNS, each `size` (width, height)."""
    image = resized(row.image, size, cv2.INTER_LINEAR)
    truth, mask, hit, miss, false_alarm = (
        resized(part, size, cv2.INTER_NEAREST_EXACT)
        for part in (row.truth, row.mask, row.truth & row.mask, row.truth & ~row.mask, row.mask & ~row.truth)
    )
    probability = np.clip(resized(row.probability, size, cv2.INTER_LINEAR), 0, 1)
    # Grey and dark, so that colour and light in the difference tile come from the comparison alone.
    difference = np.repeat(image.mean(axis=2, keepdims=True) * np.float32(0.55), 3, axis=2)
    for part, colour, strength in ((hit, HIT, HIT_STRENGTH), (miss, MISS, 1.0), (false_alarm, FALSE_ALARM, 1.0)):
        difference = tinted(difference, part, colour, strength)
    return [
        as_bytes(image),
        as_bytes(tinted(tinted(image, truth, TRUTH, TRUTH_STRENGTH), outline(truth), TRUTH, 1.0)),
        viridis(probability),
        as_bytes(tinted(image, mask, MASK, MASK_STRENGTH)),
        as_bytes(difference),
    ]


def _header(title: str, width: int) -> Image.Image:
    """Title and legend, the legend on as many lines as it needs."""
    items = [swatch("truth with outline", TRUTH, TRUTH_STRENGTH), swatch("mask", MASK, 1.0), swatch("hit", HIT, 1.0)]
    items += [swatch("miss (false negative)", MISS, 1.0), swatch("false alarm (false positive)", FALSE_ALARM, 1.0)]
    items.append(probability_scale())
    return joined([text_line(title, TITLE_SIZE, (width, 40)), *flowed(items, width)], 4, beside=False)
