"""The overlay sheet: rows of image, truth, probability, mask and errors."""

from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass
from typing import Protocol

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
    MARGIN,
    ROW_GAP,
    SMALLEST_TILE,
    TILE_GAP,
    WIDEST_SHEET,
    Picture,
    as_bytes,
    darkened,
    fitted,
    header,
    joined,
    outline,
    probability_scale,
    resized,
    swatch,
    tinted,
    viridis,
)
from toolkit.report.lettering import HEADING_SIZE, TEXT_SIZE, text_line, text_width

TRUTH_STRENGTH, MASK_STRENGTH, TRUE_POSITIVE_STRENGTH = 0.35, 0.55, 0.7  # 1 hides the image, as wrong pixels do

Legend = Callable[[Set[int]], Sequence[Image.Image]]
"""Makes the legend of a sheet from the labels that occur in its rows."""

COLUMNS = ("image", "truth", "probability", "mask", "errors")


class Row(Protocol):
    """One image of a sheet."""

    @property
    def caption(self) -> str:
        """A line of text."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the image."""

    @property
    def labels(self) -> Set[int]:
        """What the legend depends on: classes by number, IGNORE for ignored pixels."""

    def tiles(self, size: tuple[int, int]) -> list[Picture]:
        """The tiles in the order of the columns, each of `size` (width, height)."""


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

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the image."""
        return self.image.shape[0], self.image.shape[1]

    @property
    def labels(self) -> Set[int]:
        """Nothing: the legend is always the same."""
        return frozenset()

    def tiles(self, size: tuple[int, int]) -> list[Picture]:
        """The tiles in the order of COLUMNS, each of `size` (width, height)."""
        image = resized(self.image, size, cv2.INTER_LINEAR)
        truth, mask, *compared = (
            resized(plane, size, cv2.INTER_NEAREST_EXACT)
            for plane in (
                self.truth,
                self.mask,
                self.truth & self.mask,
                self.truth & ~self.mask,
                self.mask & ~self.truth,
            )
        )
        probability = np.clip(resized(self.probability, size, cv2.INTER_LINEAR), 0, 1)
        difference = darkened(image)
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


@dataclass(frozen=True, eq=False)
class _Drawn:
    """A drawn row: its caption, its labels and its tiles."""

    caption: str
    labels: Set[int]
    tiles: Sequence[Picture]


def overlay_sheet(
    title: str,
    groups: Sequence[tuple[str, Iterable[Row]]],
    *,
    notes: Sequence[str] = (),
    columns: Sequence[str] = COLUMNS,
    legend: Legend | None = None,
    tile_height: int = 128,
) -> npt.NDArray[np.uint8]:
    """Draw groups of rows under a title and a legend.

    Groups are beside each other if the sheet stays narrower than a full HD screen, otherwise below each other. Each row
    is drawn before the next one is taken from its iterable, so that only one image is in memory.

    Args:
        title: a short line.
        groups: pairs of a heading and rows; a group without rows is left out.
        notes: texts below the title.
        columns: the headings of the tiles of a row.
        legend: of the tiles; by default that of `OverlayRow`.
        tile_height: the largest height of a tile in pixels; a tile is at most 4/3 of it wide.

    Returns:
        The sheet, `uint8 (height, width, 3)`, RGB.

    Raises:
        ValueError: the tile height is below 16.
    """
    if tile_height < SMALLEST_TILE:
        raise ValueError(f"tile_height: expected at least {SMALLEST_TILE}, received {tile_height}")
    every = [(heading, [_drawn(row, tile_height) for row in rows]) for heading, rows in groups]
    drawn = [(heading, rows) for heading, rows in every if rows]
    cell = _cell_size([row for _, rows in drawn for row in rows], columns, tile_height)
    width = len(columns) * (cell[0] + TILE_GAP) - TILE_GAP
    blocks = [_group(heading, columns, rows, width, cell) for heading, rows in drawn]
    side_by_side = len(blocks) * (width + GROUP_GAP) - GROUP_GAP + 2 * MARGIN <= WIDEST_SHEET
    body = joined(blocks, GROUP_GAP, beside=side_by_side)
    occurring = {label for _, rows in drawn for row in rows for label in row.labels}
    top = header(title, notes, _legend() if legend is None else legend(occurring), max(body.width, width))
    sheet = joined([top, body], MARGIN, beside=False)
    return np.array(ImageOps.expand(sheet, MARGIN, PAPER), dtype=np.uint8)


def _drawn(row: Row, tile_height: int) -> _Drawn:
    return _Drawn(row.caption, row.labels, row.tiles(fitted(row.size, tile_height)))


def _cell_size(rows: Sequence[_Drawn], columns: Sequence[str], tile_height: int) -> tuple[int, int]:
    """The width and height that hold every tile and every column heading."""
    tiles = [row.tiles[0].shape[:2] for row in rows] or [(tile_height, tile_height)]
    heading_width = max(text_width(column, TEXT_SIZE) for column in columns)
    return max(heading_width, *(width for _, width in tiles)), max(height for height, _ in tiles)


def _group(
    heading: str, columns: Sequence[str], rows: Sequence[_Drawn], width: int, cell: tuple[int, int]
) -> Image.Image:
    """Heading, column headings and rows."""
    top = text_line(heading, HEADING_SIZE, (width, 30))
    ImageDraw.Draw(top).line((0, 29, width, 29), fill=RULE)
    headings = [text_line(column, TEXT_SIZE, (cell[0], 28), QUIET_INK, centred=True) for column in columns]
    strips = joined([_row(row, width, cell) for row in rows], ROW_GAP, beside=False)
    return joined([top, joined(headings, TILE_GAP, beside=True), strips], 0, beside=False)


def _row(row: _Drawn, width: int, cell: tuple[int, int]) -> Image.Image:
    """Caption and tiles, each in the middle of its cell."""
    cells = []
    for tile in row.tiles:
        cells.append(Image.new("RGB", cell, LETTERBOX))
        place = ((cell[0] - tile.shape[1]) // 2, (cell[1] - tile.shape[0]) // 2)
        cells[-1].paste(Image.fromarray(tile), place)
    caption = text_line(row.caption, TEXT_SIZE, (width, 22))
    return joined([caption, joined(cells, TILE_GAP, beside=True)], 0, beside=False)


def _legend() -> list[Image.Image]:
    return [
        swatch("truth", TRUTH, TRUTH_STRENGTH),
        swatch("mask", MASK, 1.0),
        swatch("true positive", TRUE_POSITIVE, 1.0),
        swatch("false negative", FALSE_NEGATIVE, 1.0),
        swatch("false positive", FALSE_POSITIVE, 1.0),
        probability_scale(),
    ]
