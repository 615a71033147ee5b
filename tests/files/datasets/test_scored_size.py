from pathlib import Path

import cv2
import numpy as np
import pytest

from toolkit.config.data.competitions import PLAIN, find_competition
from toolkit.config.data.data import SourceKeys
from toolkit.core.images.resizing import scale_mask
from toolkit.core.images.windows import Window
from toolkit.core.masks.labels import IGNORE, Classes
from toolkit.files.data.finding import find_source
from toolkit.files.data.sources import LabelledImages
from toolkit.files.datasets.scored_size import at_scored_size

HALF = find_competition("clouds").model_copy(update={"output_size": (6, 10)})
CLASSES = {
    "sigmoid": Classes(("a", "b"), "sigmoid", ((1,), (2,)), (9,)),
    "softmax": Classes(("none", "a", "b"), "softmax", ((0,), (1,), (2,)), (9,)),
}


@pytest.fixture(params=CLASSES)
def own(request: pytest.FixtureRequest, tmp_path: Path) -> LabelledImages:
    """An image of 12×20 whose two classes and ignored pixels are apart."""
    mask = np.zeros((12, 20), np.uint8)
    mask[1:6, 2:9], mask[7:10, 3:15], mask[:, 18:] = 1, 2, 9
    pixels = np.random.default_rng(0).integers(0, 256, (12, 20, 3), np.uint8)
    for folder, content in (("images", pixels), ("masks", mask)):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / "x.png"), content)
    keys = SourceKeys(images=tmp_path / "images", masks=tmp_path / "masks")
    return find_source(keys, CLASSES[request.param], 3, "data")


def test_without_a_size_everything_stays(own: LabelledImages) -> None:
    assert at_scored_size(own, None) is own
    assert at_scored_size(own, PLAIN) is own


def test_masks_are_scaled_like_those_of_a_submission(own: LabelledImages) -> None:
    scaled = at_scored_size(own, HALF)
    labels = scaled.read_labels("x")
    assert labels.shape == scaled.images.size("x") == scaled.images.read("x").shape[:2] == (6, 10)
    before, after = (own.classes.planes(each) for each in (own.read_labels("x"), labels))
    for number in range(before.shape[2])[own.classes.activation == "softmax" :]:
        assert np.array_equal(after[..., number] == 1, scale_mask(before[..., number] == 1, (6, 10)))
    assert np.array_equal(labels == IGNORE, scale_mask(own.read_labels("x") == IGNORE, (6, 10)))


def test_windows_and_parts_are_those_of_the_scaled_images(own: LabelledImages) -> None:
    scaled = at_scored_size(own, HALF)
    window = Window(1, 2, 3, 4)
    assert np.array_equal(scaled.window_labels("x", window), scaled.read_labels("x")[1:4, 2:6])
    assert np.array_equal(scaled.images.window("x", window), scaled.images.read("x")[1:4, 2:6])
    assert scaled.images.only({"x"}).ids == ("x",)
    assert scaled.images.only(set()).ids == ()


def test_the_size_of_the_images_changes_nothing(own: LabelledImages) -> None:
    scaled = at_scored_size(own, HALF.model_copy(update={"output_size": (12, 20)}))
    assert np.array_equal(scaled.read_labels("x"), own.read_labels("x"))
    assert np.array_equal(scaled.images.read("x"), own.images.read("x"))
