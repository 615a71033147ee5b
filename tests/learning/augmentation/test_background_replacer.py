from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from toolkit.config.training.augmentation import parse_augmentation
from toolkit.core.masks.labels import IGNORE
from toolkit.errors import ConfigError, MissingFileError
from toolkit.learning.augmentation.augmentation import Augmentation

SIZE = (20, 30)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two backgrounds of one colour each: value 10 and value 20."""
    for value in (10, 20):
        cv2.imwrite(str(tmp_path / f"{value}.png"), np.full((7, 50, 3), value, np.uint8))
    return tmp_path


def replacer(folder: Path, channels: int = 3, **arguments: Any) -> Augmentation:
    transforms = parse_augmentation({"BackgroundReplacer": {"path": str(folder), **arguments}})
    return Augmentation(transforms, lambda path: f"at {'.'.join(map(str, path))}", (*SIZE, channels))


def square(channels: int = 3) -> tuple[np.ndarray, np.ndarray]:
    labels = np.zeros(SIZE, np.uint8)
    labels[5:15, 5:15] = 1
    return np.full((*SIZE, channels), 200, np.uint8), labels


@pytest.mark.parametrize("channels", [1, 3])
def test_the_foreground_stands_before_a_random_picture(folder: Path, channels: int) -> None:
    augment = replacer(folder, channels, rate=0)
    seen = set()
    for seed in range(20):
        image, labels = augment(*square(channels), seed)
        assert np.array_equal(labels, square()[1])
        assert (image[labels == 1] == 200).all()
        seen.add(tuple(np.unique(image[labels == 0])))
    assert seen == {(10,), (20,)}


@pytest.mark.parametrize(("rate", "kept"), [(0, (0, 0)), (1, (100, 100)), (0.3, (15, 45))])
def test_the_rate_is_the_share_that_keeps_its_background(folder: Path, rate: float, kept: tuple[int, int]) -> None:
    augment = replacer(folder, rate=rate)
    same = sum(bool((augment(*square(), seed)[0] == 200).all()) for seed in range(100))
    assert kept[0] <= same <= kept[1]


def test_ignored_is_kept_like_foreground(folder: Path) -> None:
    image, labels = square()
    labels[0, 0] = IGNORE
    changed, _ = replacer(folder, rate=0)(image, labels, 0)
    assert changed[0, 0].tolist() == [200, 200, 200]


def test_erosion_shrinks_the_pasted_foreground_and_not_the_labels(folder: Path) -> None:
    changed, labels = replacer(folder, rate=0, erosion=3)(*square(), 0)
    assert int((changed == 200).all(axis=2).sum()) == 8 * 8
    assert int(labels.sum()) == 100
    widths = {
        int((replacer(folder, rate=0, erosion=(0, 3))(*square(), seed)[0][..., 0] == 200).sum()) for seed in range(9)
    }
    assert widths >= {100, 64}


def test_augmenters_move_the_object_alone(folder: Path) -> None:
    changed, labels = replacer(folder, rate=0, augmenters={"Fliplr": 1})(*square(), 0)
    assert np.array_equal(labels, square()[1][:, ::-1])
    assert (changed[labels == 1] == 200).all()
    both = replacer(folder, rate=0, augmenters={"Fliplr": 0.5})
    assert {bool(both(*square(), seed)[1][7, 7]) for seed in range(20)} == {True, False}


def test_the_error_of_a_missing_folder_or_other_channels_names_the_key(folder: Path) -> None:
    with pytest.raises(MissingFileError, match=r"at BackgroundReplacer\.path: there is no folder"):
        replacer(folder / "nowhere")
    with pytest.raises(ConfigError, match=r"at BackgroundReplacer: .*backgrounds have 1 or 3 channels"):
        replacer(folder, 5)
