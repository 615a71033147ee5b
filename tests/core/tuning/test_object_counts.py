import itertools

import numpy as np
import pytest

from toolkit.core.masks.labels import IGNORE
from toolkit.core.masks.objects import components
from toolkit.core.metrics.instance import matches
from toolkit.core.metrics.metric import case_of
from toolkit.core.recipe.postprocess import masks_of, objects_of
from toolkit.core.recipe.recipe import ClassRecipe, Emptiness, Recipe, Triplet, Watershed
from toolkit.core.tuning import object_counts
from toolkit.core.tuning.object_counts import ObjectAreas, ObjectCounts

SPLITS = [None, Watershed(1), Watershed(4), Watershed(50)]


def blobs(seed: int) -> np.ndarray:
    """Discs that often touch."""
    random = np.random.default_rng(seed)
    rows, columns = np.ogrid[:40, :50]
    mask = np.zeros((40, 50), np.bool_)
    for _ in range(9):
        centre, radius = random.uniform(0, (40, 50)), random.uniform(2, 8)
        mask |= (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 <= radius**2
    return mask


@pytest.mark.parametrize("cached_bytes", [0, 1 << 26])
def test_counts_are_those_of_matching_whole_masks(cached_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_counts, "_CACHED_BYTES", cached_bytes)
    valid = np.random.default_rng(1).random((40, 50)) < 0.9
    truth = np.where(valid, components(blobs(0)), 0).astype(np.int32)
    counts = ObjectCounts(truth, valid)
    for seed in (0, 1, 2, 1, 0):
        mask = blobs(seed)
        for split, found in zip(SPLITS, counts.of_mask(mask, SPLITS), strict=True):
            predicted = np.where(valid, objects_of(mask, Recipe(split=split)), 0).astype(np.int32)
            assert found.tolist() == matches(predicted, truth).tolist()


def test_areas_of_a_hand_sized_map() -> None:
    stored = np.array([[200, 0, 150, 150], [0, 0, 0, 150], [90, 0, 0, 0]], np.uint8)
    labels = np.array([[1, 0, 1, 0], [0, 0, 0, IGNORE], [1, 1, 0, 0]], np.uint8)
    areas = ObjectAreas(stored, labels, None)
    assert areas.of(ClassRecipe()).tolist() == [2, 3, 4, 11]
    assert areas.of(ClassRecipe(minimum_object_size=3)).tolist() == [1, 2, 4, 11]  # the ignored pixel counts as size
    assert areas.of(ClassRecipe(minimum_object_size=4)).tolist() == [0, 0, 4, 11]
    assert areas.of(ClassRecipe(0.3)).tolist() == [3, 4, 4, 11]
    assert areas.of(ClassRecipe(minimum_area=5)).tolist() == [0, 0, 4, 11]
    assert areas.of(ClassRecipe(triplet=Triplet(0.7, 1))).tolist() == [2, 3, 4, 11]
    assert areas.of(ClassRecipe(triplet=Triplet(0.7, 2))).tolist() == [0, 0, 4, 11]
    assert areas.of(ClassRecipe(fill_holes=2)) is None


@pytest.mark.parametrize("stored_type", ["uint8", "float16"])
@pytest.mark.parametrize("ignored", [False, True])
def test_areas_are_those_of_the_masks(stored_type: str, ignored: bool) -> None:
    random = np.random.default_rng(0)
    values = np.kron(random.random((12, 9)), np.ones((2, 3)))
    stored = (255 * values).astype(np.uint8) if stored_type == "uint8" else values.astype(np.float16)
    labels = (random.random(values.shape) < values).astype(np.uint8)
    if ignored:
        labels[random.random(labels.shape) < 0.2] = IGNORE
    presence = np.array([0.6], np.float32)
    areas = ObjectAreas(stored, labels, presence)
    emptiness = (None, Emptiness("maximum", 0.9), Emptiness("mean_of_top", 0.99, 16), Emptiness("head", 0.7))
    triplets = (None, Triplet(0.9, 5), Triplet(0.9, 500))
    for threshold, empty, triplet, size, area in itertools.product(
        (0.0, 0.4, 0.8, 0.999), emptiness, triplets, (0, 7, 30), (0, 40)
    ):
        rule = ClassRecipe(threshold, empty, triplet, minimum_object_size=size, minimum_area=area)
        masks = masks_of(stored[..., None], "sigmoid", Recipe((rule,)), presence)
        assert areas.of(rule).tolist() == case_of(masks, labels, "sigmoid").areas[0].tolist()
