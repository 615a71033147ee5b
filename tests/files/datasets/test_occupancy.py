from pathlib import Path

import cv2
import numpy as np
import pytest

from toolkit.config.data.data import SourceKeys
from toolkit.core.masks.labels import IGNORE, Classes
from toolkit.files.data.finding import find_source
from toolkit.files.datasets.occupancy import find_occupancies
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


def test_foreground_is_found_cell_by_cell(pool: Pool) -> None:
    for sample, found in zip(pool.samples, find_occupancies(pool.samples, 8, Silent()), strict=True):
        labels = sample.labels()
        assert (found.size, found.cell) == (labels.shape, 8)
        for row, column in np.ndindex(found.foreground.shape):
            cell = labels[8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
            assert found.foreground[row, column] == ((cell > 0) & (cell != IGNORE)).any()
            assert found.classes[row, column].tolist() == [(cell == 1).any(), (cell == 2).any()]
