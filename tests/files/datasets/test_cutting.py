from pathlib import Path

import cv2
import numpy as np
import pytest

from toolkit.config.data.data import SourceKeys
from toolkit.core.images.windows import Window
from toolkit.core.masks.labels import IGNORE, Classes
from toolkit.errors import DataError
from toolkit.files.data.finding import find_source
from toolkit.files.datasets.cutting import cut_pool, find_occupancies, parts_of
from toolkit.files.datasets.training_pool import Pool, Sample, make_pool
from toolkit.files.inspection.checking import check_training_data
from toolkit.messages import Silent

SIZES = {"a": (31, 50), "b": (64, 40), "c": (10, 10)}
CLASSES = Classes(("one", "two"), "sigmoid", ((1,), (2,)), (9,))


@pytest.fixture
def pool(tmp_path: Path) -> Pool:
    """Three images of noise, with masks of two classes, void, and background."""
    random = np.random.default_rng(0)
    for name, size in SIZES.items():
        mask = random.choice(np.array([0, 1, 2, 9], np.uint8), size)
        mask[: size[0] // 2, : size[1] // 2] = 0
        for folder, pixels in (("images", random.integers(0, 256, (*size, 3), np.uint8)), ("masks", mask)):
            (tmp_path / folder).mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / folder / f"{name}.png"), pixels)
    data = find_source(SourceKeys(images=tmp_path / "images", masks=tmp_path / "masks"), CLASSES, 3, "data")
    return make_pool(data, check_training_data(data, Silent()), np.array([0, 1, 0]), ())


@pytest.mark.parametrize("parts", [2, 3, 7])
def test_parts_are_the_whole_image_and_nothing_twice(pool: Pool, parts: int) -> None:
    for sample in pool.samples:
        taken = np.zeros(sample.size, int)
        for part in parts_of(sample, parts):
            assert part.window is not None
            taken[part.window.top : part.window.bottom, part.window.left : part.window.right] += 1
            assert max(part.size[0] * parts - sample.size[0], part.size[1] * parts - sample.size[1]) < parts
        assert (taken == 1).all()


def test_a_part_has_the_pixels_of_its_place_and_the_fold_of_its_image(pool: Pool) -> None:
    cut = cut_pool(pool, 3, Silent())
    assert len(cut.samples) == len(cut.coverage) == len(cut.pixels) == len(cut.folds) == 27
    assert cut.folds.tolist() == [0] * 9 + [1] * 9 + [0] * 9
    for place, part in enumerate(cut.samples):
        whole = pool.samples[place // 9]
        assert part.image_id == whole.image_id
        assert part.window is not None
        inside = np.s_[part.window.top : part.window.bottom, part.window.left : part.window.right]
        labels = whole.labels()[inside]
        assert np.array_equal(part.labels(), labels)
        assert np.array_equal(part.image(), whole.image()[inside])
        counted = max(1, int((labels != IGNORE).sum()))
        assert cut.coverage[place] == ((labels > 0) & (labels != IGNORE)).sum() / counted
        assert cut.pixels[place].tolist() == [int((labels == 1).sum()), int((labels == 2).sum())]
    assert not cut.has_foreground.all()
    assert np.array_equal(cut.pixels.reshape(3, 9, 2).sum(axis=1), pool.pixels)


def test_an_image_of_fewer_pixels_than_parts_is_told(pool: Pool) -> None:
    with pytest.raises(DataError, match="c is 10×10: it cannot be cut into 11×11"):
        cut_pool(pool, 11, Silent())


def test_foreground_is_found_cell_by_cell(pool: Pool) -> None:
    for sample, found in zip(pool.samples, find_occupancies(pool.samples, 8, Silent()), strict=True):
        labels = sample.labels()
        assert (found.size, found.cell) == (labels.shape, 8)
        for row, column in np.ndindex(found.foreground.shape):
            part = labels[8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
            assert found.foreground[row, column] == ((part > 0) & (part != IGNORE)).any()
            assert found.classes[row, column].tolist() == [(part == 1).any(), (part == 2).any()]


def test_windows_beyond_the_image_are_mirrored_alike_in_image_and_labels(pool: Pool) -> None:
    whole = pool.samples[0]
    part = Sample(whole.source, whole.image_id, Window(-5, 40, 20, 25))
    assert part.size == (20, 25)
    assert part.image_size == (31, 50)
    padded = np.pad(whole.labels(), 20, mode="symmetric")
    assert np.array_equal(part.labels(), padded[15:35, 60:85])
    coloured = np.pad(whole.image(), ((20, 20), (20, 20), (0, 0)), mode="symmetric")
    assert np.array_equal(part.image(), coloured[15:35, 60:85])
    assert part.title == "a (rows from -5, columns from 40)"
