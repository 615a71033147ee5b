"""The overlay sheet: best and worst images as rows of image, truth, probability, mask and difference."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Picture = npt.NDArray[np.uint8]
Plane = npt.NDArray[np.float32]
Colour = tuple[int, int, int]

# From the palette of Okabe and Ito, which stays apart under every common colour blindness; the three of the
# difference tile also differ in lightness, so they survive a black-and-white print.
TRUTH: Colour = (0, 158, 115)
MASK: Colour = (204, 121, 167)
HIT: Colour = (86, 180, 233)
MISS: Colour = (213, 94, 0)
FALSE_ALARM: Colour = (240, 228, 66)

PAPER: Colour = (255, 255, 255)
LETTERBOX: Colour = (240, 241, 243)
INK: Colour = (28, 32, 38)
QUIET_INK: Colour = (98, 105, 115)
RULE: Colour = (208, 212, 218)

TITLE_SIZE, HEADING_SIZE, TEXT_SIZE, SCALE_SIZE = 24, 18, 14, 12
COLUMNS = ("image", "truth", "probability", "mask", "difference")
MARGIN, TILE_GAP, ROW_GAP, GROUP_GAP = 20, 6, 12, 28
SMALLEST_TILE = 16
WIDEST_TILE = 4 / 3  # of the tile height: two groups of such tiles side by side still fit a full HD screen
WIDEST_SHEET = 1900  # groups that would be wider side by side are stacked


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
            raise ValueError(
                f"{self.caption!r}: the image must be (height, width, 3) and the rest (height, width), got {sizes}"
            )
        if np.isnan(self.probability).any():
            raise ValueError(f"{self.caption!r}: the probability has NaN")


def overlay_sheet(
    title: str, groups: Sequence[tuple[str, Sequence[OverlayRow]]], *, tile_height: int = 128
) -> npt.NDArray[np.uint8]:
    """Draw groups of rows under a title and a legend; each group is a heading with its rows.

    Tiles are scaled to at most `tile_height` pixels high and 4/3 of that wide, keeping their aspect. Groups stand side
    by side where the sheet stays narrower than a full HD screen, else below each other; one without rows says "none".
    Returns the sheet as (height, width, 3) uint8 RGB. Raises ValueError for a tile height under 16.
    """
    if tile_height < SMALLEST_TILE:
        raise ValueError(f"tile_height must be at least {SMALLEST_TILE}, got {tile_height}")
    cell = _cell_size([row for _, rows in groups for row in rows], tile_height)
    blocks = [_group(heading, rows, cell, tile_height) for heading, rows in groups]
    side_by_side = sum(block.width + GROUP_GAP for block in blocks) - GROUP_GAP + 2 * MARGIN <= WIDEST_SHEET
    body = _joined(blocks, GROUP_GAP, beside=side_by_side)
    width = max(body.width, _group_width(cell))
    sheet = _joined([_header(title, width), body], MARGIN, beside=False)
    framed = Image.new("RGB", (sheet.width + 2 * MARGIN, sheet.height + 2 * MARGIN), PAPER)
    framed.paste(sheet, (MARGIN, MARGIN))
    return np.array(framed, dtype=np.uint8)


def _fitted(row: OverlayRow, tile_height: int) -> tuple[int, int]:
    """Width and height of the row's tiles."""
    height, width = row.truth.shape
    scale = min(tile_height / height, tile_height * WIDEST_TILE / width)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _cell_size(rows: Sequence[OverlayRow], tile_height: int) -> tuple[int, int]:
    """Width and height that hold every tile of the sheet and every column heading."""
    tiles = [_fitted(row, tile_height) for row in rows] or [(tile_height, tile_height)]
    heading_width = max(_text_width(column, TEXT_SIZE) for column in COLUMNS)
    return max(heading_width, *(width for width, _ in tiles)), max(height for _, height in tiles)


def _group_width(cell: tuple[int, int]) -> int:
    return len(COLUMNS) * (cell[0] + TILE_GAP) - TILE_GAP


def _group(heading: str, rows: Sequence[OverlayRow], cell: tuple[int, int], tile_height: int) -> Image.Image:
    """Heading, column headings and rows."""
    width = _group_width(cell)
    top = Image.new("RGB", (width, 30), PAPER)
    draw = ImageDraw.Draw(top)
    _write(draw, (0, 12), heading, HEADING_SIZE, INK, width)
    draw.line((0, 28, width, 28), fill=RULE)
    if not rows:
        none = Image.new("RGB", (width, 24), PAPER)
        _write(ImageDraw.Draw(none), (0, 12), "none", TEXT_SIZE, QUIET_INK, width)
        return _joined([top, none], 0, beside=False)
    columns = Image.new("RGB", (width, 20), PAPER)
    draw = ImageDraw.Draw(columns)
    for index, column in enumerate(COLUMNS):
        left = index * (cell[0] + TILE_GAP) + (cell[0] - _text_width(column, TEXT_SIZE)) // 2
        _write(draw, (left, 10), column, TEXT_SIZE, QUIET_INK, cell[0])
    strips = _joined([_row(row, cell, tile_height) for row in rows], ROW_GAP, beside=False)
    return _joined([top, columns, strips], 2, beside=False)


def _row(row: OverlayRow, cell: tuple[int, int], tile_height: int) -> Image.Image:
    """Caption and five tiles, each in the middle of its cell."""
    width, line = _group_width(cell), 20
    strip = Image.new("RGB", (width, line + cell[1]), PAPER)
    draw = ImageDraw.Draw(strip)
    _write(draw, (0, line // 2 - 1), row.caption, TEXT_SIZE, INK, width)
    for index, tile in enumerate(_tiles(row, _fitted(row, tile_height))):
        left = index * (cell[0] + TILE_GAP)
        draw.rectangle((left, line, left + cell[0] - 1, line + cell[1] - 1), fill=LETTERBOX)
        height, tile_width = tile.shape[:2]
        strip.paste(Image.fromarray(tile), (left + (cell[0] - tile_width) // 2, line + (cell[1] - height) // 2))
    return strip


def _tiles(row: OverlayRow, size: tuple[int, int]) -> list[Picture]:
    """The five pictures of a row in the order of COLUMNS, each `size` (width, height)."""
    image = _resized(row.image.astype(np.float32), size, cv2.INTER_LINEAR)
    truth, mask, hit, miss, false_alarm = (
        _resized(part.astype(np.float32), size, cv2.INTER_NEAREST_EXACT)
        for part in (row.truth, row.mask, row.truth & row.mask, row.truth & ~row.mask, row.mask & ~row.truth)
    )
    probability = np.clip(_resized(row.probability, size, cv2.INTER_LINEAR), 0, 1)
    # Grey and dark, so that colour and light in the difference tile come from the comparison alone.
    difference = np.repeat(image.mean(axis=2, keepdims=True) * np.float32(0.55), 3, axis=2)
    for part, colour, strength in ((hit, HIT, 0.7), (miss, MISS, 1.0), (false_alarm, FALSE_ALARM, 1.0)):
        difference = _tinted(difference, part, colour, strength)
    return [
        _bytes(image),
        _bytes(_tinted(_tinted(image, truth, TRUTH, 0.35), _outline(truth), TRUTH, 1.0)),
        _viridis(probability),
        _bytes(_tinted(image, mask, MASK, 0.55)),
        _bytes(difference),
    ]


def _resized(plane: Plane, size: tuple[int, int], enlarging: int) -> Plane:
    """Resize to (width, height); shrinking averages, so that a thin structure fades instead of vanishing."""
    shrinks = size[0] < plane.shape[1] or size[1] < plane.shape[0]
    resized = cv2.resize(np.ascontiguousarray(plane), size, interpolation=cv2.INTER_AREA if shrinks else enlarging)
    return np.asarray(resized, dtype=np.float32)


def _tinted(picture: Plane, part: Plane, colour: Colour, strength: float) -> Plane:
    """Lay a colour over the part (height, width; 0-1) of a picture."""
    weight = part[..., np.newaxis] * np.float32(strength)
    return picture * (1 - weight) + np.array(colour, dtype=np.float32) * weight


def _outline(part: Plane) -> Plane:
    """The inner border of the region, also where it touches the edge of the picture."""
    inside = (part >= 0.5).astype(np.uint8)
    core = cv2.erode(inside, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(inside - core, dtype=np.float32)


def _viridis(probability: Plane) -> Picture:
    coloured = cv2.applyColorMap(_bytes(probability * 255), cv2.COLORMAP_VIRIDIS)
    return np.asarray(cv2.cvtColor(coloured, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _bytes(picture: Plane) -> Picture:
    return np.rint(np.clip(picture, 0, 255)).astype(np.uint8)


def _header(title: str, width: int) -> Image.Image:
    """Title and legend, the legend on as many lines as it needs."""
    top = Image.new("RGB", (width, 36), PAPER)
    _write(ImageDraw.Draw(top), (0, 15), title, TITLE_SIZE, INK, width)
    swatches = (
        ("truth with outline", TRUTH, 0.35),
        ("mask", MASK, 1.0),
        ("hit", HIT, 1.0),
        ("miss (false negative)", MISS, 1.0),
        ("false alarm (false positive)", FALSE_ALARM, 1.0),
    )
    items = [*(_swatch(*swatch) for swatch in swatches), _scale()]
    lines: list[list[Image.Image]] = [[]]
    for item in items:
        if lines[-1] and sum(other.width + MARGIN for other in lines[-1]) + item.width > width:
            lines.append([])
        lines[-1].append(item)
    return _joined([top, *(_joined(line, MARGIN, beside=True) for line in lines)], 4, beside=False)


def _swatch(label: str, colour: Colour, strength: float) -> Image.Image:
    """A square in the colour, its label to the right."""
    item = Image.new("RGB", (20 + _text_width(label, TEXT_SIZE), 18), PAPER)
    draw = ImageDraw.Draw(item)
    fill = _tinted(np.full((1, 1, 3), 255, np.float32), np.ones((1, 1), np.float32), colour, strength)
    red, green, blue = (int(value) for value in _bytes(fill)[0, 0])
    draw.rectangle((0, 2, 13, 15), fill=(red, green, blue), outline=colour)
    _write(draw, (20, 9), label, TEXT_SIZE, INK, item.width)
    return item


def _scale() -> Image.Image:
    """The colours of the probabilities from 0 to 1 with a mark at 0.5."""
    label, length = "probability", 160
    left = _text_width(label, TEXT_SIZE) + 12
    item = Image.new("RGB", (left + length + 6, 34), PAPER)
    draw = ImageDraw.Draw(item)
    _write(draw, (0, 9), label, TEXT_SIZE, INK, left)
    colours = _viridis(np.tile(np.linspace(0, 1, length, dtype=np.float32), (12, 1)))
    item.paste(Image.fromarray(colours), (left, 3))
    for text, where in (("0", 0), ("0.5", length // 2), ("1", length - 1)):
        draw.line((left + where, 15, left + where, 19), fill=INK)
        _write(draw, (left + where - _text_width(text, SCALE_SIZE) // 2, 26), text, SCALE_SIZE, INK, length)
    draw.line((left + length // 2, 3, left + length // 2, 15), fill=PAPER)
    return item


def _joined(parts: Iterable[Image.Image], gap: int, *, beside: bool) -> Image.Image:
    """Parts beside or below each other, aligned at the top left."""
    pictures = list(parts)
    widths, heights = [part.width for part in pictures], [part.height for part in pictures]
    gaps = gap * max(0, len(pictures) - 1)
    size = (sum(widths) + gaps, max(heights, default=0)) if beside else (max(widths, default=0), sum(heights) + gaps)
    whole = Image.new("RGB", size, PAPER)
    at = 0
    for part in pictures:
        whole.paste(part, (at, 0) if beside else (0, at))
        at += gap + (part.width if beside else part.height)
    return whole


def _text_width(text: str, size: int) -> int:
    return int(np.ceil(ImageFont.load_default(size).getlength(text)))


def _write(
    draw: ImageDraw.ImageDraw, position: tuple[int, int], text: str, size: int, colour: Colour, room: int
) -> None:
    """Write one line around the height of `position`, shortened with an ellipsis where `room` pixels are too few."""
    font = ImageFont.load_default(size)
    line = shortened = " ".join(text.splitlines())
    while line and font.getlength(shortened) > room:
        line = line[:-1]
        shortened = line.rstrip() + "…"
    draw.text(position, shortened, fill=colour, font=font, anchor="lm")
