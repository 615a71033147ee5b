"""Overlapping tiles that cover an image of any size, and how their predictions become one map."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Probability
from toolkit.core.images.windows import Window

Size = tuple[int, int]
"""(height, width)."""
TileWeights = Literal["hann", "gaussian", "flat"]
"""How much a tile counts from its middle to its edge: two bells, or everywhere the same."""
Weights = npt.NDArray[np.float32]

_GAUSSIAN_SPREAD = 0.125  # of the tile's side, as in nnU-Net (Isensee et al. 2021)


@dataclass(frozen=True)
class Cutting:
    """How images are cut up for a network.

    `whole`: not at all. `tiles`: windows that have the network's shape once they are scaled by `scale`. `grid`: windows
    as large as one of `parts` × `parts` of the image. Neighbouring windows share at least `overlap` of their sides.
    """

    kind: Literal["whole", "tiles", "grid"] = "whole"
    parts: int = 1
    scale: float = 1.0
    overlap: float = 0.25
    blend: TileWeights = "hann"

    def tile(self, size: Size, shape: Size) -> Size:
        """The windows (height, width) of an image of `size` for a network whose input is `shape`."""
        if self.kind == "whole":
            return size
        if self.kind == "grid":
            return -(-size[0] // self.parts), -(-size[1] // self.parts)
        return window_size(shape, self.scale)

    def grid(self, size: Size, shape: Size) -> "TileGrid":
        """The tiles of an image of `size` for a network whose input is `shape`."""
        return TileGrid(size, self.tile(size, shape), self.overlap, self.blend)


WHOLE = Cutting()
"""Images meet the network whole."""


def window_size(shape: Size, scale: float) -> Size:
    """The window (height, width) of an image that fills an input of `shape` when it is scaled by `scale`."""
    return max(1, round(shape[0] / scale)), max(1, round(shape[1] / scale))


def tile_starts(length: int, tile: int, overlap: float) -> tuple[int, ...]:
    """Where tiles of a side begin, evenly spaced from the first pixel to the last.

    Neighbours share at least the share `overlap`, below 1, of the tile. A tile that is longer than the image stands
    alone, the image in its middle.
    """
    if length <= tile:
        return (-((tile - length) // 2),)
    stride = max(1, math.floor(tile * (1 - overlap)))
    gaps = -(-(length - tile) // stride)
    return tuple(round(number * (length - tile) / gaps) for number in range(gaps + 1))


def blend_weights(length: int, tile: int, starts: tuple[int, ...], blend: TileWeights) -> list[Weights]:
    """What each pixel of each tile counts along one side, `float32` of those inside; at every pixel they sum to 1."""
    curve = _curve(tile, blend)
    inside = [(max(0, start), min(length, start + tile)) for start in starts]
    parts = [curve[low - start : high - start] for start, (low, high) in zip(starts, inside, strict=True)]
    total = np.zeros(length)
    for part, (low, high) in zip(parts, inside, strict=True):
        total[low:high] += part
    return [(part / total[low:high]).astype(np.float32) for part, (low, high) in zip(parts, inside, strict=True)]


@dataclass(frozen=True)
class TileGrid:
    """Tiles of one size that cover an image, row by row from the top."""

    size: Size
    tile: Size
    overlap: float
    blend: TileWeights

    @cached_property
    def tops(self) -> tuple[int, ...]:
        """First row of each row of tiles; below 0 where a tile is higher than the image."""
        return tile_starts(self.size[0], self.tile[0], self.overlap)

    @cached_property
    def lefts(self) -> tuple[int, ...]:
        """First column of each column of tiles."""
        return tile_starts(self.size[1], self.tile[1], self.overlap)

    @cached_property
    def windows(self) -> tuple[Window, ...]:
        """All tiles, in the order in which a `Mosaic` takes them."""
        return tuple(Window(top, left, *self.tile) for top in self.tops for left in self.lefts)

    @cached_property
    def row_weights(self) -> list[Weights]:
        """For each row of tiles what its pixels count from top to bottom, as `blend_weights`."""
        return blend_weights(self.size[0], self.tile[0], self.tops, self.blend)

    @cached_property
    def column_weights(self) -> list[Weights]:
        """For each column of tiles what its pixels count from left to right."""
        return blend_weights(self.size[1], self.tile[1], self.lefts, self.blend)


class Mosaic:
    """Blends predictions of tiles into the map of their image, and gives away rows as soon as no tile adds to them.

    It holds no more than the rows of one row of tiles, however high the image is.
    """

    def __init__(self, grid: TileGrid, classes: int) -> None:
        self._grid = grid
        self._next = 0
        self._top = 0
        self._band = np.zeros((0, grid.size[1], classes), np.float32)

    def add(self, probability: Probability) -> Probability:
        """Add the prediction of the next of the grid's windows, `float32 (height, width, classes)`, 0–1.

        Returns:
            The rows that are finished now, `float32 (rows, image width, classes)`: those after the ones that were
            given before, often none.
        """
        grid = self._grid
        row, column = divmod(self._next, len(grid.lefts))
        window = grid.windows[self._next]
        inner = window.inside(grid.size)
        self._next += 1
        part = probability[inner.top - window.top :, inner.left - window.left :][: inner.height, : inner.width]
        if len(grid.windows) == 1:
            return part
        if column == 0:
            further = inner.bottom - self._top - len(self._band)
            self._band = np.concatenate([self._band, np.zeros((further, *self._band.shape[1:]), np.float32)])
        weights = grid.row_weights[row][:, None, None] * grid.column_weights[column][:, None]
        self._band[inner.top - self._top : inner.bottom - self._top, inner.left : inner.right] += part * weights
        if column < len(grid.lefts) - 1:
            return self._band[:0]
        return self._cut(grid.size[0] if row == len(grid.tops) - 1 else grid.tops[row + 1])

    def _cut(self, end: int) -> Probability:
        finished, rest = self._band[: end - self._top], self._band[end - self._top :]
        # A copy, so that the rows given away are not kept by the rest.
        self._band, self._top = rest.copy(), end
        return np.minimum(finished, 1, out=finished)  # weights sum to 1 but for the last bit


def _curve(tile: int, blend: TileWeights) -> npt.NDArray[np.float64]:
    """What a tile counts along one side, above 0 everywhere."""
    place = (np.arange(tile) + 0.5) / tile
    if blend == "hann":
        return np.sin(np.pi * place) ** 2
    if blend == "gaussian":
        return np.exp(-0.5 * ((place - 0.5) / _GAUSSIAN_SPREAD) ** 2)
    return np.ones(tile)
