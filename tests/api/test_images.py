from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from toolkit.api.images import as_images as images_for
from toolkit.config.models import Config
from toolkit.errors import DataError, MissingFileError
from toolkit.files.data.sources import Images
from toolkit.files.experiment.fitted import Networks
from toolkit.files.experiment.folder import Experiment
from toolkit.files.images.decoding import read_image


def as_images(images: list[Any], channels: int, **data: Any) -> Images:
    tree = {"data": {"images": "images", "masks": "masks"} | data, "stages": ({"epochs": 1},)}
    config = Config.model_validate(tree | {"shape": (32, 32, channels)})
    return images_for(images, Networks(Experiment(Path("exp042")), config, "float32", (), "none"))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1), (5, 7, 3), (5, 7, 4)])
def test_arrays_are_read_like_files(tmp_path: Path, channels: int, shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    order = {2: slice(None), 1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[2 if len(shape) == 2 else shape[2]]
    cv2.imwrite(str(tmp_path / "a.png"), array if len(shape) == 2 else array[..., order])
    images = as_images([array], channels)
    assert np.array_equal(images.read(images.ids[0]), read_image(tmp_path / "a.png", channels))
    assert np.array_equal(as_images([tmp_path / "a.png"], channels).read("0"), images.read("0"))


def test_the_order_stays() -> None:
    arrays = [np.full((2, 2, 3), number, np.uint8) for number in range(12)]
    images = as_images(arrays, 3)
    assert [int(images.read(image_id)[0, 0, 0]) for image_id in images.ids] == list(range(12))


def test_values_are_converted_like_those_of_files() -> None:
    assert as_images([np.array([[0, 256, 65535]], np.uint16)], 1).read("0")[..., 0].tolist() == [[0, 1, 255]]
    floats = np.array([[0, 0.5, 2]], np.float32)
    assert as_images([floats], 1, value_range=(0.0, 1.0)).read("0")[..., 0].tolist() == [[0, 128, 255]]
    with pytest.raises(DataError, match="pixels of type float32, from 0 to 2"):
        as_images([floats], 1)


@pytest.mark.parametrize("array", [np.zeros(4, np.uint8), np.zeros((0, 4), np.uint8), np.zeros((1, 4, 4, 3), np.uint8)])
def test_other_arrays_are_refused(array: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"expected \(height, width\)"):
        as_images([array], 3)


def test_invalid_images_are_refused() -> None:
    array = np.zeros((4, 4, 5), np.uint8)
    assert as_images([array], 5).read("0").shape == (4, 4, 5)
    with pytest.raises(DataError, match="has 5 channels, but shape asks for 4"):
        as_images([array], 4)
    with pytest.raises(DataError, match="has 64 channels") as told:
        as_images([np.zeros((12, 64, 64), np.uint8)], 3)
    assert "list(images)" in told.value.advice
    with pytest.raises(MissingFileError, match=r"there is no file nowhere/a\.png"):
        as_images(["nowhere/a.png"], 3)
    with pytest.raises(DataError, match="mixed"):
        as_images([array, "a.png"], 3)
    for wrong in (None, 3, [[0, 255]]):
        with pytest.raises(DataError, match=f"the type {type(wrong).__name__}; expected a NumPy array or the path"):
            as_images([array, wrong], 5)
