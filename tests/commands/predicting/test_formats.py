import io
from typing import Any

import cv2
import numpy as np
import pytest

from toolkit.commands.predicting.forecaster import Forecast
from toolkit.commands.predicting.formats import FORMATS, About, Predicted, mask_images, parse_formats
from toolkit.core.masks.labels import Activation, Classes
from toolkit.core.recipe.probabilities import quantise
from toolkit.errors import ConfigError
from toolkit.files.datasets.images_to_predict import ArrayImages


def about(activation: Activation, *names: str) -> About:
    return About(Classes(names, activation), "exp042")


def predicted(*planes: list[list[float]], name: str = "a", masks: Any = None) -> Predicted:
    probability = np.stack([np.array(plane, np.float32) for plane in planes], axis=-1)
    image = np.zeros((*probability.shape[:2], 3), np.uint8)
    images = ArrayImages({name: image})
    return Predicted(Forecast(name, None, probability, images, images), quantise(probability), masks)


def contents(name: str, kind: About, one: Predicted) -> list[bytes]:
    files = []
    for write in FORMATS[name].writers(kind, one):
        write(file := io.BytesIO())
        files.append(file.getvalue())
    return files


def decoded(content: bytes) -> np.ndarray:
    return np.asarray(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED))


def test_probabilities_are_written_as_levels_one_file_for_each_class() -> None:
    one = about("sigmoid", "salt")
    assert FORMATS["png"].paths(one, "x/a") == ["png/x/a.png"]
    (content,) = contents("png", one, predicted([[0, 0.5, 1.0]]))
    assert decoded(content).tolist() == [[0, 127, 255]]
    several = about("softmax", "background", "car", "road/lane", "../up")
    assert FORMATS["png"].paths(several, "a") == [
        "png/background/a.png", "png/car/a.png", "png/road_lane/a.png", "png/_up/a.png",
    ]  # fmt: skip


def test_folders_of_classes_are_unique_and_stay_inside() -> None:
    names = about("sigmoid", "a/b", "a:b", "..", "/", "ü", "..").folders
    assert len(set(names)) == len(names)
    assert all(name not in ("", ".", "..") and "/" not in name for name in names)
    assert names[4] == "ü"


def test_arrays_have_height_width_classes() -> None:
    one = predicted([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]])
    (npy,), (npz,) = (contents(name, about("sigmoid", "salt"), one) for name in ("npy", "npz"))
    assert np.array_equal(np.load(io.BytesIO(npy)), one.forecast.probability)
    found = np.load(io.BytesIO(npz))
    assert found["pred_np"].shape == (3, 2, 1)
    assert found["pred_np"].dtype == np.float32
    assert found["im_np"].shape == (3, 2, 3)


def test_masks_of_one_class_are_255_and_of_exclusive_classes_their_numbers() -> None:
    masks = np.zeros((1, 3, 3), np.bool_)
    masks[0, [0, 1, 2], [0, 1, 2]] = True
    (single,) = mask_images(about("sigmoid", "salt"), masks[..., 1:2])
    assert single.tolist() == [[0, 255, 0]]
    (index,) = mask_images(about("softmax", "background", "car", "road"), masks)
    assert index.tolist() == [[0, 1, 2]]
    (foreground,) = mask_images(about("softmax", "background", "car"), masks[..., :2])
    assert foreground.tolist() == [[0, 255, 0]]
    own = mask_images(about("sigmoid", "car", "road"), masks[..., :2])
    assert [image.tolist() for image in own] == [[[255, 0, 0]], [[0, 255, 0]]]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "kind", [about("sigmoid", "salt"), about("sigmoid", "a", "b"), about("softmax", "background", "a", "b")]
)
def test_every_path_has_its_content(name: str, kind: About) -> None:
    count = kind.classes.count
    masks = np.zeros((4, 5, count), np.bool_)
    one = predicted(*[[[0.5] * 5] * 4] * count, masks=masks)
    assert len(FORMATS[name].paths(kind, "a")) == len(contents(name, kind, one))


def test_formats_are_parsed() -> None:
    assert parse_formats(["png, mask", "npz"]) == ("png", "mask", "npz")
    assert parse_formats(["maps"]) == ("maps", "npy")
    assert parse_formats(["rle,mask"]) == ("rle", "mask")
    with pytest.raises(ConfigError, match=r"'jpg' is not valid.* choose from png, npz, npy, mask, overlay, maps, rle"):
        parse_formats(["jpg"])
    with pytest.raises(ConfigError, match="the format is missing"):
        parse_formats([])
