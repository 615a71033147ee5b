from collections.abc import Callable

import numpy as np
import pytest

from toolkit.core.masks.cleaning_steps import closed, largest_objects, opened, without_holes, without_small_objects
from toolkit.core.recipe.recipe import WHOLE_MASK

SIZES = [(1, 1), (1, 9), (9, 1), (7, 12), (20, 13)]


def masks() -> list[np.ndarray]:
    random = np.random.default_rng(0)
    some = [random.random(size) < share for size in SIZES for share in (0.1, 0.4, 0.6, 0.9)]
    return some + [np.full(size, full) for size in SIZES for full in (False, True)]


def parts(mask: np.ndarray, *, corners: bool) -> list[set[tuple[int, int]]]:
    """The connected components of a mask in row order, found pixel by pixel."""
    left = set(zip(*(indices.tolist() for indices in np.nonzero(mask)), strict=True))
    found = []
    while left:
        edge = [min(left)]
        part = set(edge)
        left -= part
        while edge:
            row, column = edge.pop()
            steps = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1) if corners or down * right == 0]
            near = {(row + down, column + right) for down, right in steps} & left
            left -= near
            part |= near
            edge += near
        found.append(part)
    return found


def drawn(some: list[set[tuple[int, int]]], size: tuple[int, ...]) -> np.ndarray:
    mask = np.zeros(size, np.bool_)
    for part in some:
        mask[tuple(np.array(sorted(part)).T)] = True
    return mask


def disc(center: tuple[int, int], radius: int, size: tuple[int, ...]) -> np.ndarray:
    """The part of a disc that lies in the image."""
    rows, columns = np.ogrid[: size[0], : size[1]]
    return (rows - center[0]) ** 2 + (columns - center[1]) ** 2 <= radius**2


def fitting(mask: np.ndarray, radius: int) -> np.ndarray:
    """The union of all discs that fit into a mask."""
    result = np.zeros_like(mask)
    for center in np.ndindex(*mask.shape):
        pixels = disc(center, radius, mask.shape)  # type: ignore[arg-type]
        if mask[pixels].all():
            result |= pixels
    return result


def slowly_filled(mask: np.ndarray, largest: int) -> np.ndarray:
    height, width = mask.shape
    holes = [
        part
        for part in parts(~mask, corners=False)
        if len(part) <= largest and all(0 < row < height - 1 and 0 < column < width - 1 for row, column in part)
    ]
    return mask | drawn(holes, mask.shape)


@pytest.mark.parametrize("radius", [1, 2, 3, 30])
def test_opening_keeps_discs_that_fit(radius: int) -> None:
    for mask in masks():
        assert np.array_equal(opened(mask, radius), fitting(mask, radius))
        assert np.array_equal(closed(mask, radius), ~fitting(~mask, radius))


@pytest.mark.parametrize("largest", [1, 3, 10, WHOLE_MASK])
def test_holes_are_filled_up_to_a_size(largest: int) -> None:
    for mask in masks():
        assert np.array_equal(without_holes(mask, largest), slowly_filled(mask, largest))


def test_a_diagonal_line_encloses_a_hole_and_the_edge_of_the_image_does_not() -> None:
    ring = np.array([[0, 0, 1, 0, 0], [0, 1, 0, 1, 0], [1, 0, 0, 0, 1], [0, 1, 0, 1, 0], [0, 0, 1, 0, 0]], np.bool_)
    assert without_holes(ring, 5).sum() == ring.sum() + 5
    assert np.array_equal(without_holes(ring, 4), ring)
    assert np.array_equal(without_holes(ring[:3], WHOLE_MASK), ring[:3])


@pytest.mark.parametrize("minimum", [1, 2, 4, 30])
def test_small_objects_are_removed(minimum: int) -> None:
    for mask in masks():
        kept = [part for part in parts(mask, corners=True) if len(part) >= minimum]
        assert np.array_equal(without_small_objects(mask, minimum), drawn(kept, mask.shape))


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_first_of_equally_large_objects_are_kept(count: int) -> None:
    for mask in masks():
        found = parts(mask, corners=True)
        kept = sorted(found, key=lambda part: (-len(part), min(part)))[:count]
        assert np.array_equal(largest_objects(mask, count), drawn(kept, mask.shape))


CLEANERS: list[Callable[[np.ndarray], np.ndarray]] = [
    lambda mask: opened(mask, 2),
    lambda mask: closed(mask, 2),
    lambda mask: without_holes(mask, 6),
    lambda mask: without_small_objects(mask, 6),
    lambda mask: largest_objects(mask, 2),
]


@pytest.mark.parametrize("clean", CLEANERS)
def test_cleaning_is_idempotent_and_does_not_change_its_input(clean: Callable[..., np.ndarray]) -> None:
    for mask in masks():
        before = mask.copy()
        once = clean(mask)
        assert once.dtype == np.bool_
        assert np.array_equal(clean(once), once)
        assert np.array_equal(mask, before)


@pytest.mark.parametrize("clean", CLEANERS)
def test_the_memory_layout_does_not_matter(clean: Callable[..., np.ndarray]) -> None:
    for mask in masks():
        stacked = np.stack([mask, ~mask], axis=-1)
        assert np.array_equal(clean(stacked[..., 0]), clean(mask))
        assert np.array_equal(clean(np.asfortranarray(mask)), clean(mask))
