"""The transforms that stand for arguments of Keras's ImageDataGenerator do to an image what Keras does."""

from pathlib import Path
from typing import Any

import albumentations
import numpy as np
import pytest

from toolkit.config.migrating.image_data_generator import generator_rules, translate_generator
from toolkit.config.migrating.translation import Translation
from toolkit.learning.runtime import tf

pytestmark = pytest.mark.tf

OLD_NAME = "ignore:Please import .affine_transform. from the .scipy.ndimage. namespace:DeprecationWarning"

SIZE = (100, 100)  # Keras turns other images about another point than their middle


def shape_of_an_f() -> np.ndarray:
    """A figure without any symmetry."""
    image = np.zeros((*SIZE, 3), np.uint8)
    image[30:70, 30:40] = 200
    image[30:38, 30:70] = 200
    image[48:54, 30:55] = 200
    return image


def ours(**arguments: Any) -> dict[str, Any]:
    return translate_generator(Translation({}, Path()), generator_rules(SIZE), arguments, "", "constant")


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    first, second = one[..., 0] > 100, other[..., 0] > 100
    return float((first & second).sum() / (first | second).sum())


@pytest.mark.parametrize(
    ("argument", "limit", "end", "keras"),
    [
        # Keras shears the other way than albumentations; ranges are symmetric.
        ("rotation_range", 25, {"rotate": (25, 25)}, {"theta": 25}),
        ("shear_range", 12, {"shear": {"x": (-12, -12), "y": (0, 0)}}, {"shear": 12}),
        ("zoom_range", 0.25, {"scale": (1 / 1.25, 1 / 1.25)}, {"zx": 1.25, "zy": 1.25}),
    ],
)
@pytest.mark.filterwarnings(OLD_NAME)  # in Keras
def test_the_end_of_a_range_moves_pixels_as_keras_does(
    argument: str, limit: float, end: dict[str, Any], keras: dict[str, float]
) -> None:
    affine = ours(**{argument: limit})["Affine"]
    (name,) = end
    low, high = np.ravel(affine[name]["x"] if name == "shear" else affine[name])
    at = np.ravel(end[name]["x"] if name == "shear" else end[name])[0]
    assert low <= round(float(at), 4) <= high
    transform = albumentations.Affine(**{**affine, **end})
    image = shape_of_an_f()
    theirs = tf.keras.preprocessing.image.apply_affine_transform(
        image.astype(np.float32), **keras, row_axis=0, col_axis=1, channel_axis=2, fill_mode="constant", order=1
    )
    assert overlap(transform(image=image)["image"], theirs) > 0.9
    assert overlap(image, theirs) < 0.9


def test_the_largest_channel_shift_is_that_of_keras() -> None:
    arguments = ours(channel_shift_range=51)["RandomBrightnessContrast"]
    high = arguments["brightness_limit"][1]
    image = np.dstack([np.full(SIZE, 20, np.uint8), np.full(SIZE, 90, np.uint8), np.full(SIZE, 150, np.uint8)])
    image[0] = 255  # Keras clips at the largest value of the image
    changed = albumentations.RandomBrightnessContrast(**{**arguments, "brightness_limit": (high, high)})(image=image)
    theirs = tf.keras.preprocessing.image.apply_channel_shift(image.astype(np.float32), 51, 2)
    assert np.abs(changed["image"].astype(int) - theirs).max() <= 1


def test_brightness_is_multiplied_as_in_keras() -> None:
    arguments = ours(brightness_range=(0.5, 1.5))["MultiplicativeNoise"]
    image = shape_of_an_f()
    changed = albumentations.MultiplicativeNoise(**{**arguments, "multiplier": (0.5, 0.5)})(image=image)["image"]
    theirs = tf.keras.preprocessing.image.apply_brightness_shift(image.astype(np.float32), 0.5, scale=False)
    assert np.abs(changed.astype(int) - theirs).max() <= 1
