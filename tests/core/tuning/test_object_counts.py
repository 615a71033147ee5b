import numpy as np
import pytest

from toolkit.core.masks.objects import components
from toolkit.core.metrics.instance import matches
from toolkit.core.recipe.postprocess import objects_of
from toolkit.core.recipe.recipe import Recipe, Watershed
from toolkit.core.tuning import object_counts
from toolkit.core.tuning.object_counts import ObjectCounts

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
