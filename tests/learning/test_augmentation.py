from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from toolkit.config.loading import Loaded, load_config
from toolkit.config.models import Config
from toolkit.errors import ConfigError
from toolkit.learning.augmentation import Augmentation

pytestmark = pytest.mark.train

MINIMAL = "data: {images: a, masks: b}\nstages: [{epochs: 1}]\n"


def load(tmp_path: Path, augmentation: str) -> Loaded[Config]:
    path = tmp_path / "config.yaml"
    path.write_text(MINIMAL + augmentation)
    return load_config(path)


def sample() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (24, 40, 3), dtype=np.uint8)
    return image, (image[..., 0] > 128).astype(np.uint8)


def test_a_seed_gives_the_same_sample_whatever_the_thread_and_the_order(tmp_path: Path) -> None:
    text = "augmentation: {HorizontalFlip: 0.5, Affine: {rotate: [-30, 30], p: 0.7}, RandomBrightnessContrast: 0.5}\n"
    augmentation = Augmentation(load(tmp_path, text))
    image, mask = sample()
    one_by_one = [augmentation(image, mask, seed)[0] for seed in range(60)]
    with ThreadPoolExecutor(4) as pool:
        in_threads = list(pool.map(lambda seed: augmentation(image, mask, seed)[0], reversed(range(60))))[::-1]
    assert all(map(np.array_equal, one_by_one, in_threads))
    assert len({result.tobytes() for result in one_by_one}) > 30


def test_image_and_mask_move_together(tmp_path: Path) -> None:
    augmentation = Augmentation(load(tmp_path, "augmentation: [{HorizontalFlip: 1}, {VerticalFlip: 1.0}]\n"))
    image, mask = sample()
    changed_image, changed_mask = augmentation(image, mask, 1)
    assert np.array_equal(changed_image, image[::-1, ::-1])
    assert np.array_equal(changed_mask, mask[::-1, ::-1])


def test_a_transform_that_only_has_advice_is_taken(tmp_path: Path) -> None:
    Augmentation(load(tmp_path, "augmentation: {ShiftScaleRotate: 0.5}\n"))


def test_no_augmentation_changes_nothing(tmp_path: Path) -> None:
    image, mask = sample()
    changed_image, changed_mask = Augmentation(load(tmp_path, ""))(image, mask, 5)
    assert np.array_equal(changed_image, image)
    assert np.array_equal(changed_mask, mask)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("augmentation:\n  HorizontalFlop: 0.5\n", ["config.yaml:4", "HorizontalFlop", "HorizontalFlip"]),
        ("augmentation:\n  Affine: {rotat: 3}\n", ["config.yaml:4", "Affine", "rotat"]),
        ("augmentation:\n  - HorizontalFlip: 2\n", ["config.yaml:4", "HorizontalFlip", "less than or equal to 1"]),
        ("augmentation:\n  - HorizontalFlip: often\n", ["config.yaml:4", "probability", "often"]),
        ("augmentation:\n  Compose: {transforms: []}\n", ["config.yaml:4", "Compose"]),
        ("augmentation:\n  RandomCrop: {height: 8, width: 8}\n", ["config.yaml:4", "RandomCrop", "(8, 8"]),
        ("augmentation:\n  Normalize: 0.5\n", ["config.yaml:4", "Normalize", "float32"]),
    ],
)
def test_what_cannot_be_built_is_told_with_file_and_line(tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        Augmentation(load(tmp_path, text))
    for word in words:
        assert word in str(caught.value)
