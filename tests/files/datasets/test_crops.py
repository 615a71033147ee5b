from pathlib import Path

import cv2
import numpy as np
import pytest

from toolkit.config.data.data import SourceKeys
from toolkit.core.masks.labels import IGNORE, Classes
from toolkit.errors import DataError
from toolkit.files.data.finding import find_source
from toolkit.files.datasets.crops import crop_pool, crops_of
from toolkit.files.datasets.training_pool import Pool, make_pool
from toolkit.files.inspection.checking import check_training_data
from toolkit.messages import Silent

SIZES = {"a": (31, 50), "b": (64, 40), "c": (10, 10)}
CLASSES = Classes(("one", "two"), "sigmoid", ((1,), (2,)), (9,))


@pytest.fixture
def pool(tmp_path: Path) -> Pool:
    """Three images of noise, with masks of two classes, ignored pixels, and background."""
    random = np.random.default_rng(0)
    for name, size in SIZES.items():
        mask = random.choice(np.array([0, 1, 2, 9], np.uint8), size)
        mask[: size[0] // 2, : size[1] // 2] = 0
        for folder, pixels in (("images", random.integers(0, 256, (*size, 3), np.uint8)), ("masks", mask)):
            (tmp_path / folder).mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / folder / f"{name}.png"), pixels)
    data = find_source(SourceKeys(images=tmp_path / "images", masks=tmp_path / "masks"), CLASSES, 3, "data")
    return make_pool(data, check_training_data(data, Silent()), np.array([0, 1, 0]), ())


@pytest.mark.parametrize("crops", [2, 3, 7])
def test_crops_cover_the_image_without_overlap(pool: Pool, crops: int) -> None:
    for sample in pool.samples:
        taken = np.zeros(sample.size, int)
        for crop in crops_of(sample, crops):
            assert crop.window is not None
            taken[crop.window.top : crop.window.bottom, crop.window.left : crop.window.right] += 1
            assert max(crop.size[0] * crops - sample.size[0], crop.size[1] * crops - sample.size[1]) < crops
        assert (taken == 1).all()


def test_a_crop_has_the_pixels_of_its_place_and_the_fold_of_its_image(pool: Pool) -> None:
    cropped = crop_pool(pool, 3, Silent())
    assert len(cropped.samples) == len(cropped.coverage) == len(cropped.pixels) == len(cropped.folds) == 27
    assert cropped.folds.tolist() == [0] * 9 + [1] * 9 + [0] * 9
    for place, crop in enumerate(cropped.samples):
        whole = pool.samples[place // 9]
        assert crop.image_id == whole.image_id
        assert crop.window is not None
        inside = np.s_[crop.window.top : crop.window.bottom, crop.window.left : crop.window.right]
        labels = whole.labels()[inside]
        assert np.array_equal(crop.labels(), labels)
        assert np.array_equal(crop.image(), whole.image()[inside])
        counted = max(1, int((labels != IGNORE).sum()))
        assert cropped.coverage[place] == ((labels > 0) & (labels != IGNORE)).sum() / counted
        assert cropped.pixels[place].tolist() == [int((labels == 1).sum()), int((labels == 2).sum())]
    assert not cropped.has_foreground.all()
    assert np.array_equal(cropped.pixels.reshape(3, 9, 2).sum(axis=1), pool.pixels)


def test_an_image_with_fewer_pixels_than_crops_is_refused(pool: Pool) -> None:
    with pytest.raises(DataError, match="c is 10×10, which is too small for 11×11 crops"):
        crop_pool(pool, 11, Silent())
