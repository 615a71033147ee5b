"""The preview sheet: images and their augmented variants, with the targets drawn over each."""

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageOps

from toolkit.core.masks.labels import IGNORE, Activation
from toolkit.report.colours import (
    CLASS_STRENGTH,
    IGNORE_COLOUR,
    IGNORE_STRENGTH,
    LETTERBOX,
    PAPER,
    QUIET_INK,
    RULE,
    class_colour,
)
from toolkit.report.drawing import (
    GROUP_GAP,
    MARGIN,
    ROW_GAP,
    SMALLEST_TILE,
    TILE_GAP,
    WIDEST_SHEET,
    Picture,
    Plane,
    as_bytes,
    as_rgb,
    fitted,
    header,
    joined,
    legend_item,
    resized,
    swatch,
    tinted,
    untinted_swatch,
    with_classes,
)
from toolkit.report.lettering import TEXT_SIZE, text_line

_ORIGINAL_GAP = 16  # between an image and its variants
_STRIPE = 8  # pixels from one stripe over ignored pixels to the next


@dataclass(frozen=True, eq=False)  # arrays have no single truth value to compare by
class PreviewSample:
    """An image with its targets.

    `image` is `uint8 (height, width, channels)`. `targets` are (height, width, classes), `uint8` or `float32`: 0–1, and
    IGNORE in all planes of ignored pixels.

    Raises:
        ValueError: the shapes do not fit together.
    """

    image: npt.NDArray[np.uint8]
    targets: npt.NDArray[np.uint8] | npt.NDArray[np.float32]

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.image.shape[0], self.image.shape[1]

    def __post_init__(self) -> None:
        if self.image.ndim != 3 or self.targets.ndim != 3 or self.image.shape[:2] != self.targets.shape[:2]:
            raise ValueError(
                "expected an image (height, width, channels) and targets (height, width, classes), received "
                f"{self.image.shape} and {self.targets.shape}"
            )


@dataclass(frozen=True, eq=False)
class PreviewRow:
    """One image of the sheet: a line of text, the original, and its augmented variants."""

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

    Rows form two blocks beside each other if the sheet stays narrower than a full HD screen. With softmax the first
    class is background and is not tinted.

    Args:
        title: one line.
        notes: short texts, beside each other on as many lines as they need.
        rows: at least one; all have the same number of variants and classes.
        activation: of the targets: whether classes are independent or exclusive.
        names: of all classes, for the legend, which shows those that occur; numbers if left out.
        tile_height: the largest height of a tile in pixels; a tile is at most 4/3 of it wide.

    Returns:
        The sheet, `uint8 (height, width, 3)`, RGB.

    Raises:
        ValueError: there is no row, rows differ, or the tile height is below 16.
    """
    if tile_height < SMALLEST_TILE:
        raise ValueError(f"tile_height: expected at least {SMALLEST_TILE}, received {tile_height}")
    if len({(len(row.variants), row.original.targets.shape[2]) for row in rows}) != 1:
        raise ValueError("expected at least one row, and the same number of variants and classes in all rows")
    first = first_shown(activation)
    strips = [_row(row, tile_height, first) for row in rows]
    half = -(-len(strips) // 2)
    block_width = max(strip.width for strip in strips)
    beside = len(strips) > 1 and 2 * block_width + GROUP_GAP + 2 * MARGIN <= WIDEST_SHEET
    heading = _headings(rows[0], strips[0].width, tile_height)
    columns = [strips[:half], strips[half:]] if beside else [strips]
    blocks = [joined([heading, *column], ROW_GAP, beside=False) for column in columns]
    body = joined(blocks, GROUP_GAP, beside=True)
    occurring = labels_in(sample.targets for row in rows for sample in (row.original, *row.variants))
    classes = rows[0].original.targets.shape[2]
    shown = names or (["foreground"] if classes == 1 else [f"class {number}" for number in range(classes)])
    legend = class_legend(shown, activation, occurring)
    sheet = joined([header(title, notes, legend, max(body.width, 480)), body], MARGIN, beside=False)
    return np.array(ImageOps.expand(sheet, MARGIN, PAPER), dtype=np.uint8)


def _row(row: PreviewRow, tile_height: int, first: int) -> Image.Image:
    size = fitted(row.original.size, tile_height)
    tiles = [Image.fromarray(class_tile(sample, size, first)) for sample in (row.original, *row.variants)]
    variants = joined(tiles[1:], TILE_GAP, beside=True)
    strip = joined([tiles[0], variants], _ORIGINAL_GAP, beside=True)
    return joined([text_line(row.caption, TEXT_SIZE, (strip.width, 22)), strip], 0, beside=False)


def _headings(row: PreviewRow, width: int, tile_height: int) -> Image.Image:
    """The headings of the columns, above a rule."""
    tile = fitted(row.original.size, tile_height)[0]
    original = text_line("original", TEXT_SIZE, (tile, 24), QUIET_INK)
    variants = text_line(
        "augmented" if row.variants else "", TEXT_SIZE, (max(1, width - tile - _ORIGINAL_GAP), 24), QUIET_INK
    )
    line = joined([original, variants], _ORIGINAL_GAP, beside=True)
    ImageDraw.Draw(line).line((0, 23, line.width, 23), fill=RULE)
    return line


def class_tile(sample: PreviewSample, size: tuple[int, int], first: int) -> Picture:
    """The image with its targets at `size` (width, height): classes from `first` on tinted, ignored pixels striped."""
    picture = resized(as_rgb(sample.image), size, cv2.INTER_LINEAR)
    ignored = (sample.targets == IGNORE).all(axis=2)
    targets = np.where(ignored[..., None], 0, sample.targets).astype(np.float32)
    masks = ((number - first, targets[..., number]) for number in range(first, targets.shape[2]))
    picture = with_classes(picture, masks, size)
    striped = resized(ignored, size, cv2.INTER_NEAREST_EXACT) * _stripes(size)
    return as_bytes(tinted(picture, striped, IGNORE_COLOUR, IGNORE_STRENGTH))


def _stripes(size: tuple[int, int]) -> Plane:
    """Diagonal stripes as (height, width), 0 or 1."""
    rows, columns = np.indices((size[1], size[0]))
    return ((rows + columns) % _STRIPE < _STRIPE / 2).astype(np.float32)


def labels_in(targets: Iterable[npt.NDArray[np.uint8] | npt.NDArray[np.float32]]) -> set[int]:
    """The classes that occur in the targets of samples, by number, and IGNORE if there are ignored pixels."""
    found: set[int] = set()
    for planes in targets:
        ignored = (planes == IGNORE).all(axis=2)
        found |= {number for number in range(planes.shape[2]) if (planes[..., number][~ignored] > 0).any()}
        found |= {IGNORE} if ignored.any() else set()
    return found


def class_legend(names: Sequence[str], activation: Activation, occurring: Set[int]) -> list[Image.Image]:
    """The legend of `class_tile`: of all classes, those that occur, and ignored pixels; see `labels_in`.

    With softmax the first class is not tinted, and its square is empty.
    """
    first = first_shown(activation)
    legend = [
        swatch(name, class_colour(number - first), CLASS_STRENGTH) if number >= first else untinted_swatch(name)
        for number, name in enumerate(names)
        if number in occurring
    ]
    return [*legend, _ignored_swatch()] if IGNORE in occurring else legend


def first_shown(activation: Activation) -> int:
    """The number of the first class that is tinted: with softmax the second one."""
    return 1 if activation == "softmax" else 0


def _ignored_swatch() -> Image.Image:
    grey = tinted(np.full((14, 14, 3), LETTERBOX, np.float32), _stripes((14, 14)), IGNORE_COLOUR, IGNORE_STRENGTH)
    return legend_item(as_bytes(grey), "ignored: neither trained on nor scored")
