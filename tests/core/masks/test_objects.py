import numpy as np
import pytest
from scipy import ndimage

from toolkit.core.masks.objects import ComponentCache, Dividable, components, divided


def blobs(seed: int, size: tuple[int, int] = (60, 45)) -> np.ndarray:
    """Discs that often touch."""
    random = np.random.default_rng(seed)
    rows, columns = np.ogrid[: size[0], : size[1]]
    mask = np.zeros(size, np.bool_)
    for _ in range(12):
        center, radius = random.uniform(0, size), random.uniform(2, 9)
        mask |= (rows - center[0]) ** 2 + (columns - center[1]) ** 2 <= radius**2
    return mask


def rough(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((31, 22)) < 0.7


MASKS = [blobs(0), blobs(1), blobs(2), rough(0), rough(1), np.zeros((4, 7), np.bool_), np.ones((4, 7), np.bool_)]
MASKS += [np.ones((1, 1), np.bool_), np.zeros((1, 1), np.bool_), np.eye(9, dtype=np.bool_), np.ones((1, 30), np.bool_)]


def two_discs(gap: int) -> np.ndarray:
    """Discs of radius 8 whose centers are `gap` columns apart."""
    rows, columns = np.ogrid[:24, : 30 + gap]
    return ((rows - 11) ** 2 + (columns - 11) ** 2 <= 64) | ((rows - 11) ** 2 + (columns - 11 - gap) ** 2 <= 64)


@pytest.mark.parametrize("distance", [1, 3, 10, 100])
def test_objects_partition_the_mask(distance: int) -> None:
    for mask in MASKS:
        objects = divided(mask, distance)
        assert objects.dtype == np.int32
        assert np.array_equal(objects > 0, mask)
        numbers = np.unique(objects[mask])
        assert numbers.tolist() == list(range(1, len(numbers) + 1))
        for number in numbers:  # each is connected, and lies in one component
            assert components(objects == number).max() == 1


def test_the_memory_layout_does_not_change_objects() -> None:
    for mask in MASKS:
        assert np.array_equal(divided(mask, 4), divided(np.asfortranarray(mask), 4))


def test_components_are_divided_independently() -> None:
    # For seed 9 at distance 2, the last bits of OpenCV's distances depend on neighbouring components.
    for mask, distance in [*((mask, 4) for mask in MASKS[:5]), (blobs(9), 2), (blobs(13), 1)]:
        connected, whole = components(mask), divided(mask, distance)
        for number in range(1, connected.max() + 1):
            alone = divided(connected == number, distance)
            pairs = np.unique(np.stack([whole[alone > 0], alone[alone > 0]]), axis=1)
            assert pairs.shape[1] == alone.max() == len(np.unique(pairs[0]))


def test_cached_components_do_not_change_results() -> None:
    known: ComponentCache = {}
    for mask in [blobs(3), blobs(3) & ~two_discs(10).repeat(3, axis=0)[:60, :1], *MASKS, blobs(3)]:
        dividable = Dividable(mask, known)
        for distance in (5, 1, 20, 5):
            assert np.array_equal(dividable.divided(distance), divided(mask, distance))
            for number, place, objects in dividable.divided_components(distance):
                assert np.array_equal(objects > 0, dividable.connected[place] == number)


def test_two_touching_discs_are_divided_at_the_neck() -> None:
    objects = divided(two_discs(14), 5)
    assert objects.max() == 2
    assert len(np.unique(objects[:, :18][objects[:, :18] > 0])) == 1
    assert np.bincount(objects.ravel())[1:].tolist() == pytest.approx([193, 193], abs=6)
    # Centers 14 columns apart are two peaks only if the distance is smaller.
    assert divided(two_discs(14), 13).max() == 2
    assert divided(two_discs(14), 14).max() == 1


@pytest.mark.parametrize("shape", [(5, 60), (60, 5), (6, 60), (30, 30)])
def test_a_bar_is_not_divided(shape: tuple[int, int]) -> None:
    mask = np.pad(np.ones(shape, np.bool_), 3)
    assert divided(mask, 3).max() == 1


def test_objects_cut_by_the_image_edge_are_not_narrow_there() -> None:
    mask = two_discs(14)[12:]
    assert divided(mask, 5).max() == 2
    half = two_discs(0)[12:]
    assert divided(half, 5).max() == 1


def test_components_equal_those_of_scipy() -> None:
    for mask in MASKS:
        expected, count = ndimage.label(mask, np.ones((3, 3)))
        found = components(mask)
        assert found.max(initial=0) == count
        assert len(np.unique(np.stack([found[mask], expected[mask]]), axis=1).T) == count
