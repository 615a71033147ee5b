import cv2
import numpy as np
import pytest
from scipy import ndimage

from toolkit.core.images import chunks
from toolkit.core.recipe.postprocess import masks_of
from toolkit.core.recipe.probabilities import to_stored
from toolkit.core.recipe.recipe import ClassRecipe, Recipe
from toolkit.core.tuning import component_tree as components
from toolkit.core.tuning.area_histograms import THRESHOLDS, areas_by_threshold
from toolkit.core.tuning.component_tree import KeptAreas, kept_areas

SIZES = np.array([0, 1, 2, 3, 5, 5, 8, 13, 40, 1000])


def noise(random: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    return random.integers(0, 256, size).astype(np.uint8)


def smooth(random: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    field = ndimage.gaussian_filter(random.normal(size=size), 2)
    return np.clip(128 + 900 * field, 0, 255).astype(np.uint8)


def plains(random: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Few levels, so that neighbours are often equally high."""
    return random.choice(np.array([0, 1, 90, 254, 255], np.uint8), size, p=[0.3, 0.1, 0.2, 0.1, 0.3])


def terraces(random: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    return (smooth(random, size) // 50 * 51).astype(np.uint8)


KINDS = pytest.mark.parametrize("kind", [noise, smooth, plains, terraces])


def looped(levels: np.ndarray, truth: np.ndarray, sizes: np.ndarray, valid: np.ndarray) -> KeptAreas:
    """The same, object by object."""
    intersection, predicted, whole = np.zeros((3, 255, len(sizes)), np.int64)
    for threshold in range(1, 256):
        objects, count = ndimage.label(levels >= threshold, np.ones((3, 3)))
        for number in range(1, count + 1):
            pixels = objects == number
            kept = pixels.sum() >= sizes
            intersection[threshold - 1] += kept * (pixels & truth).sum()
            predicted[threshold - 1] += kept * (pixels & valid).sum()
            whole[threshold - 1] += kept * pixels.sum()
    return KeptAreas(intersection, predicted, whole)


def labelled(levels: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """The kept areas by OpenCV."""
    areas = np.zeros((255, len(sizes)), np.int64)
    for threshold in range(1, 256):
        mask = (levels >= threshold).astype(np.uint8)
        found = cv2.connectedComponentsWithStats(mask, connectivity=8)[2][1:, cv2.CC_STAT_AREA]
        areas[threshold - 1] = [found[found >= size].sum() for size in sizes]
    return areas


def assert_equal(first: KeptAreas, second: KeptAreas) -> None:
    for name in ("intersection", "predicted", "sizes"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name), err_msg=name)
        assert getattr(first, name).dtype == np.int64


@KINDS
@pytest.mark.parametrize("size", [(9, 14), (17, 5), (1, 30), (30, 1), (2, 2), (1, 1)])
def test_it_counts_what_a_loop_over_objects_counts(kind: object, size: tuple[int, int]) -> None:
    random = np.random.default_rng(size)
    levels = kind(random, size)  # type: ignore[operator]
    valid = random.random(size) < 0.9
    truth = (random.random(size) < 0.4) & valid
    everything = np.ones_like(valid)
    assert_equal(kept_areas(levels, truth, SIZES), looped(levels, truth, SIZES, everything))
    assert_equal(kept_areas(levels, truth, SIZES, valid), looped(levels, truth, SIZES, valid))


@KINDS
def test_it_counts_what_opencv_counts(kind: object) -> None:
    levels = kind(np.random.default_rng(1), (70, 90))  # type: ignore[operator]
    kept = kept_areas(levels, levels > 99, SIZES)
    np.testing.assert_array_equal(kept.predicted, labelled(levels, SIZES))
    assert kept.predicted.max() > 1000


@KINDS
def test_thresholds_may_be_counted_some_at_a_time(kind: object, monkeypatch: pytest.MonkeyPatch) -> None:
    levels = kind(np.random.default_rng(2), (20, 25))  # type: ignore[operator]
    at_once = kept_areas(levels, levels > 99, SIZES)
    for cells in (1, 700, 20000):
        monkeypatch.setattr(components, "_CELLS_AT_ONCE", cells)
        assert_equal(kept_areas(levels, levels > 99, SIZES), at_once)


@KINDS
def test_a_map_may_be_looked_at_some_rows_at_a_time(kind: object, monkeypatch: pytest.MonkeyPatch) -> None:
    levels = kind(np.random.default_rng(3), (20, 25))  # type: ignore[operator]
    at_once = kept_areas(levels, levels > 99, SIZES)
    for entries in (1, 60, 200):
        monkeypatch.setattr(chunks, "_ENTRIES", entries)
        assert_equal(kept_areas(levels, levels > 99, SIZES), at_once)


@pytest.mark.parametrize("level", [0, 1, 128, 255])
def test_a_map_of_one_level_is_one_object_up_to_it(level: int) -> None:
    kept = kept_areas(np.full((4, 6), level, np.uint8), np.ones((4, 6), np.bool_), np.array([0, 24, 25]))
    expected = np.where(np.arange(1, 256)[:, None] <= level, [24, 24, 0], 0)
    assert kept.predicted.tolist() == kept.intersection.tolist() == kept.sizes.tolist() == expected.tolist()


def test_objects_that_touch_at_a_corner_are_one() -> None:
    levels = np.array([[9, 0, 0, 9], [0, 9, 9, 0], [0, 0, 0, 0], [9, 0, 0, 0]], np.uint8)
    kept = kept_areas(levels, levels > 0, np.array([1, 4, 5]))
    assert kept.predicted[8].tolist() == [5, 4, 0]


@pytest.mark.parametrize("stored_type", ["uint8", "float16"])
def test_it_tells_the_areas_of_the_masks_that_recipes_make(stored_type: str) -> None:
    random = np.random.default_rng(3)
    stored = to_stored(smooth(random, (24, 31)).astype(np.float32) / 255, stored_type)  # type: ignore[arg-type]
    truth = random.random((24, 31)) < 0.4
    kept = kept_areas(stored, truth, SIZES)
    for row in range(0, 255, 9):
        for column, minimum in enumerate(SIZES.tolist()):
            rule = ClassRecipe(float(THRESHOLDS[row]), minimum_object_size=minimum)
            mask = masks_of(stored[..., None], "sigmoid", Recipe((rule,)))[..., 0]
            assert kept.predicted[row, column] == mask.sum()
            assert kept.intersection[row, column] == (mask & truth).sum()


def test_without_a_minimum_it_tells_the_areas_of_histograms() -> None:
    random = np.random.default_rng(4)
    levels, truth = noise(random, (12, 13)), random.random((12, 13)) < 0.5
    intersection, predicted, _ = areas_by_threshold(levels, truth)
    kept = kept_areas(levels, truth, np.array([0]))
    assert kept.intersection[:, 0].tolist() == intersection.tolist()
    assert kept.predicted[:, 0].tolist() == predicted.tolist()


def test_sizes_have_to_ascend() -> None:
    with pytest.raises(ValueError, match=r"must ascend, received \[0, 9, 3\]"):
        kept_areas(np.zeros((2, 2), np.uint8), np.zeros((2, 2), np.bool_), np.array([0, 9, 3]))
