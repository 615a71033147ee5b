import math

import numpy as np
import pytest

from toolkit.config.training.augmentation import parse_augmentation
from toolkit.learning.augmentation.augmentation import Augmentation

SHAPE = (64, 64, 3)


def augmentation(**transforms: object) -> Augmentation:
    return Augmentation(parse_augmentation(transforms), lambda key: ".".join(map(str, key)), SHAPE)


@pytest.mark.parametrize(
    "transforms",
    [
        {},
        {"HorizontalFlip": 0.5, "VerticalFlip": 0.5, "RandomRotate90": 0.5},
        {"RandomBrightnessContrast": 1.0, "GaussNoise": 1.0},
        {"RandomResizedCrop": {"size": [64, 64], "p": 1.0}},
    ],
)
def test_transforms_that_move_nothing_in_need_no_margin(transforms: dict[str, object]) -> None:
    assert augmentation(**transforms).margin == 0


def test_a_turned_square_needs_the_corners_around_it() -> None:
    needed = 64 * (math.sqrt(2) - 1) / 2
    assert needed <= augmentation(Rotate={"limit": 45, "p": 1.0}).margin <= 1.5 * needed
    assert augmentation(Rotate={"limit": 5, "p": 1.0}).margin < needed


@pytest.mark.parametrize(
    "transforms",
    [
        {"Rotate": {"limit": 45, "p": 1.0}},
        {"Affine": {"translate_percent": [-0.1, 0.1], "scale": [0.8, 1.2], "rotate": [-20, 20], "p": 1.0}},
        {"Affine": {"rotate": [-30, 30], "border_mode": 4, "p": 1.0}, "HorizontalFlip": 0.5},
        {"ElasticTransform": {"alpha": 40, "p": 1.0}},
    ],
)
def test_with_its_margin_nothing_from_beyond_comes_into_view(transforms: dict[str, object]) -> None:
    augment = augmentation(**transforms)
    margin = augment.margin
    assert 0 < margin <= 32
    size = 64 + 2 * margin
    labels = np.ones((size, size), np.uint8)
    labels[3:-3, 3:-3] = 0
    image = np.zeros((size, size, 3), np.uint8)
    for seed in range(1000, 1200):
        changed = augment(image, labels, seed)[1]
        assert not changed[margin:-margin, margin:-margin].any()
