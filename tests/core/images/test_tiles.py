from itertools import pairwise

import numpy as np
import pytest

from toolkit.core.images.tiles import UNTILED, Mosaic, TileGrid, Tiling, blend_weights, tile_starts

BLENDS = pytest.mark.parametrize("blend", ["hann", "gaussian", "flat"])
OVERLAPS = pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5, 0.9])
# Sizes of images and tiles, (height, width) each.
SIZES = pytest.mark.parametrize(
    ("size", "tile"),
    [
        ((100, 70), (32, 32)),
        ((32, 32), (32, 32)),
        ((33, 31), (32, 32)),
        ((20, 100), (32, 24)),
        ((7, 9), (32, 48)),
        ((1, 65), (16, 16)),
        ((64, 96), (32, 32)),
    ],
)


def by_tiles(picture: np.ndarray, grid: TileGrid) -> np.ndarray:
    """The map of an identity network; pixels outside the image are 0 and must not matter."""
    rows, mosaic = [], Mosaic(grid, picture.shape[2])
    for window in grid.windows:
        seen = np.zeros((*window.size, picture.shape[2]), np.float32)
        inner = window.inside(grid.size)
        seen[inner.top - window.top :, inner.left - window.left :][: inner.height, : inner.width] = picture[
            inner.top : inner.bottom, inner.left : inner.right
        ]
        rows.append(mosaic.add(seen))
    return np.concatenate(rows)


def noise(size: tuple[int, int], classes: int = 2) -> np.ndarray:
    return np.random.default_rng(size).random((*size, classes), np.float32)


@OVERLAPS
@pytest.mark.parametrize("length", [1, 31, 32, 33, 100, 1000])
def test_tiles_cover_the_side_and_overlap_as_configured(length: int, overlap: float) -> None:
    starts = tile_starts(length, 32, overlap)
    if length <= 32:
        assert starts == (-((32 - length) // 2),)
        return
    assert (starts[0], starts[-1]) == (0, length - 32)
    gaps = [after - before for before, after in pairwise(starts)]
    assert min(gaps) >= 1
    assert max(gaps) <= max(1, 32 * (1 - overlap))
    assert max(gaps) - min(gaps) <= 1
    # One tile fewer would not do.
    assert (length - 32) / max(1, int(32 * (1 - overlap))) > len(starts) - 2


@BLENDS
@OVERLAPS
@SIZES
def test_weights_add_up_to_one_everywhere(
    size: tuple[int, int], tile: tuple[int, int], overlap: float, blend: str
) -> None:
    for length, side in zip(size, tile, strict=True):
        starts = tile_starts(length, side, overlap)
        total = np.zeros(length)
        for start, weights in zip(starts, blend_weights(length, side, starts, blend), strict=True):
            assert weights.min() > 0
            total[max(0, start) : max(0, start) + len(weights)] += weights
        np.testing.assert_allclose(total, 1, atol=1e-6)


@BLENDS
@OVERLAPS
@SIZES
def test_tiles_of_an_identity_network_give_back_the_image(
    size: tuple[int, int], tile: tuple[int, int], overlap: float, blend: str
) -> None:
    picture = noise(size)
    found = by_tiles(picture, TileGrid(size, tile, overlap, blend))
    assert (found.shape, found.dtype) == (picture.shape, np.float32)
    np.testing.assert_allclose(found, picture, atol=3e-6)


@BLENDS
def test_probabilities_stay_probabilities(blend: str) -> None:
    found = by_tiles(np.ones((130, 90, 1), np.float32), TileGrid((130, 90), (32, 32), 0.6, blend))
    assert found.max() <= 1
    assert found.min() > 1 - 1e-6


def test_a_single_tile_is_returned_unchanged() -> None:
    picture = noise((20, 30))
    assert np.array_equal(by_tiles(picture, TileGrid((20, 30), (32, 32), 0.5, "hann")), picture)


def test_tiles_that_disagree_are_blended_without_a_step() -> None:
    grid = TileGrid((32, 256), (32, 64), 0.5, "hann")
    mosaic, rows = Mosaic(grid, 1), []
    for number, window in enumerate(grid.windows):
        rows.append(mosaic.add(np.full((*window.size, 1), number % 2, np.float32)))
    found = np.concatenate(rows)[0, :, 0]
    assert (found.min(), found.max()) == pytest.approx((0, 1), abs=0.01)
    assert np.abs(np.diff(found)).max() < 0.06  # side by side it would be 1


def test_rows_are_released_as_soon_as_they_are_complete() -> None:
    picture = noise((100, 50))
    grid = TileGrid((100, 50), (20, 20), 0.25, "hann")
    mosaic = Mosaic(grid, 2)
    given = []
    for number, window in enumerate(grid.windows):
        given.append(len(mosaic.add(picture[window.top : window.bottom, window.left : window.right])))
        row, column = divmod(number, len(grid.lefts))
        if column == len(grid.lefts) - 1:
            assert sum(given) == (100 if row == len(grid.tops) - 1 else grid.tops[row + 1])
        else:
            assert given[-1] == 0


def test_sizes_of_tiles() -> None:
    assert UNTILED.grid((30, 50), (64, 64)).windows[0].size == (30, 50)
    assert len(UNTILED.grid((3000, 5000), (64, 64)).windows) == 1
    assert Tiling("tiles").tile((3000, 5000), (64, 96)) == (64, 96)
    assert Tiling("tiles", scale=0.5).tile((3000, 5000), (64, 96)) == (128, 192)
    assert Tiling("tiles", scale=3).tile((3000, 5000), (64, 96)) == (21, 32)
    parts = Tiling("grid", 3, overlap=0.0).grid((100, 50), (64, 64))
    assert parts.tile == (34, 17)
    assert (len(parts.tops), len(parts.lefts)) == (3, 3)
