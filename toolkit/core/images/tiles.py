"""Overlapping tiles that cover an image of any size, and the blending of their predictions into one map."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Probability, Size
from toolkit.core.images.windows import Window, centred_start

TileWeights = Literal["hann", "gaussian", "flat"]
"""How the weight of a tile's pixels falls from its centre to its edges: two bell curves, or constant."""
Weights = npt.NDArray[np.float32]

_GAUSSIAN_SPREAD = 0.125  # standard deviation as a share of the tile's side, as in nnU-Net (Isensee et al. 2021)


@dataclass(frozen=True)
class Tiling:
    """How images are divided into tiles for a network.

    Attributes:
        kind: `whole` for no tiling; `tiles` for tiles that have the network's input shape once the image is scaled by
            `scale`; `grid` for tiles as large as one of `crops` × `crops` equal crops of the image.
        crops: crops along each side, for `grid`.
        scale: factor by which images are scaled before they are tiled, for `tiles`.
        overlap: smallest share of a tile's side that its neighbour covers too, 0 to below 1.
        blend: how overlapping predictions are weighted.
    """

    kind: Literal["whole", "tiles", "grid"] = "whole"
    crops: int = 1
    scale: float = 1.0
    overlap: float = 0.25
    blend: TileWeights = "hann"

    def tile(self, size: Size, shape: Size) -> Size:
        """Size of the tiles (height, width) of an image of `size` for a network whose input is `shape`."""
        if self.kind == "whole":
            return size
        if self.kind == "grid":
            return -(-size[0] // self.crops), -(-size[1] // self.crops)
        return window_size(shape, self.scale)

    def grid(self, size: Size, shape: Size) -> "TileGrid":
        """The tiles of an image of `size` for a network whose input is `shape`."""
        return TileGrid(size, self.tile(size, shape), self.overlap, self.blend)


UNTILED = Tiling()
"""Images are not divided: the network gets each of them whole."""


def window_size(shape: Size, scale: float) -> Size:
    """Size (height, width) in an image of the window that fills an input of `shape` after scaling by `scale`."""
    return max(1, round(shape[0] / scale)), max(1, round(shape[1] / scale))


def tile_starts(length: int, tile: int, overlap: float) -> tuple[int, ...]:
    """First pixels of tiles along one side of an image, evenly spaced so that they cover it exactly.

    Neighbours share at least `overlap` of the tile, 0 to below 1. A tile longer than the image stands alone and is
    centred on it, so that its first pixel may be negative.
    """
    if length <= tile:
        return (centred_start(length, tile),)
    stride = max(1, math.floor(tile * (1 - overlap)))
    gaps = -(-(length - tile) // stride)
    return tuple(round(number * (length - tile) / gaps) for number in range(gaps + 1))


def blend_weights(length: int, tile: int, starts: tuple[int, ...], blend: TileWeights) -> list[Weights]:
    """Weights of the pixels of each tile along one side, `float32`, for pixels inside the image.

    The weights of all tiles at a pixel add up to 1.
    """
    curve = _curve(tile, blend)
    inside = [(max(0, start), min(length, start + tile)) for start in starts]
    curves = [curve[low - start : high - start] for start, (low, high) in zip(starts, inside, strict=True)]
    total = np.zeros(length)
    for weights, (low, high) in zip(curves, inside, strict=True):
        total[low:high] += weights
    return [(weights / total[low:high]).astype(np.float32) for weights, (low, high) in zip(curves, inside, strict=True)]


@dataclass(frozen=True)
class TileGrid:
    """Tiles of one size that cover an image, row by row from the top."""

    size: Size
    tile: Size
    overlap: float
    blend: TileWeights

    @cached_property
    def tops(self) -> tuple[int, ...]:
        """First row of each row of tiles; negative if a tile is higher than the image."""
        return tile_starts(self.size[0], self.tile[0], self.overlap)

    @cached_property
    def lefts(self) -> tuple[int, ...]:
        """First column of each column of tiles."""
        return tile_starts(self.size[1], self.tile[1], self.overlap)

    @cached_property
    def windows(self) -> tuple[Window, ...]:
        """All tiles, in the order that `Mosaic.add` expects."""
        return tuple(Window(top, left, *self.tile) for top in self.tops for left in self.lefts)

    @cached_property
    def row_weights(self) -> list[Weights]:
        """For each row of tiles, the weights of its pixels from top to bottom; see `blend_weights`."""
        return blend_weights(self.size[0], self.tile[0], self.tops, self.blend)

    @cached_property
    def column_weights(self) -> list[Weights]:
        """For each column of tiles, the weights of its pixels from left to right."""
        return blend_weights(self.size[1], self.tile[1], self.lefts, self.blend)


class Mosaic:
    """Blends the predictions of tiles into the map of their image, releasing each row as soon as it is complete.

    It holds only the rows of one row of tiles, however high the image is.
    """

    def __init__(self, grid: TileGrid, classes: int) -> None:
        self._grid = grid
        self._next = 0
        self._top = 0
        self._band = np.zeros((0, grid.size[1], classes), np.float32)

    def add(self, probability: Probability) -> Probability:
        """Add the prediction of the next tile in the order of `TileGrid.windows`.

        Args:
            probability: `float32 (height, width, classes)`, 0–1.

        Returns:
            The rows completed by this tile, `float32 (rows, image width, classes)`, directly below those returned
            before; often none.
        """
        grid = self._grid
        row, column = divmod(self._next, len(grid.lefts))
        window = grid.windows[self._next]
        inner = window.inside(grid.size)
        self._next += 1
        visible = probability[inner.top - window.top :, inner.left - window.left :][: inner.height, : inner.width]
        if len(grid.windows) == 1:
            return visible
        if column == 0:
            further = inner.bottom - self._top - len(self._band)
            self._band = np.concatenate([self._band, np.zeros((further, *self._band.shape[1:]), np.float32)])
        weights = grid.row_weights[row][:, None, None] * grid.column_weights[column][:, None]
        self._band[inner.top - self._top : inner.bottom - self._top, inner.left : inner.right] += visible * weights
        if column < len(grid.lefts) - 1:
            return self._band[:0]
        return self._released(grid.size[0] if row == len(grid.tops) - 1 else grid.tops[row + 1])

    def _released(self, end: int) -> Probability:
        finished, rest = self._band[: end - self._top], self._band[end - self._top :]
        # A copy, so that the remaining rows do not keep the released ones in memory.
        self._band, self._top = rest.copy(), end
        return np.minimum(finished, 1, out=finished)  # rounding may lift the sum of weights slightly above 1


def _curve(tile: int, blend: TileWeights) -> npt.NDArray[np.float64]:
    """Weights of a tile along one side before they are normalised, positive everywhere."""
    place = (np.arange(tile) + 0.5) / tile
    if blend == "hann":
        return np.sin(np.pi * place) ** 2
    if blend == "gaussian":
        return np.exp(-0.5 * ((place - 0.5) / _GAUSSIAN_SPREAD) ** 2)
    return np.ones(tile)
