from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from toolkit.core.rle import encode
from toolkit.core.simulate import simulate_salt
from toolkit.files.experiment import Workspace

REAL_DATA = Path(__file__).parents[2] / "shared" / "data"

TINY_CONFIG = """\
data:
  images: ../../data/train/images
  masks: ../../data/train.csv
  test: ../../data/test/images
  sample_submission: ../../data/sample_submission.csv
architecture: Linknet
backbone: resnet18
encoder_weights: null
shape: [32, 32, 3]
batch: 8
primary_metric: salt_map
metrics: [dice]
augmentation:
  HorizontalFlip: 0.5
  RandomBrightnessContrast: 0.5
folds_count: 2
precision: float32
stages:
  - epochs: 2
    negatives: 0.5
  - epochs: 1
    lr: 1e-4
    loss: binary_crossentropy+0.5*lovasz_loss
"""


@pytest.fixture
def real_data() -> Path:
    if not REAL_DATA.is_dir():
        pytest.skip("the real images are not here: ../shared/data")
    return REAL_DATA


@pytest.fixture
def tiny_competition(tmp_path: Path) -> Workspace:
    """Twenty training and six test images of 40×48, with labels, sample submission, and an experiment `tiny`."""
    rows = []
    for index in range(26):
        split = "train" if index < 20 else "test"
        folder = tmp_path / "data" / split / "images"
        folder.mkdir(parents=True, exist_ok=True)
        simulated = simulate_salt(index, seed=3, size=(40, 48))
        cv2.imwrite(str(folder / f"{index:03d}.png"), simulated.image)
        rows.append(f"{index:03d},{encode(simulated.mask)}\n")
    (tmp_path / "data" / "train.csv").write_text("id,rle_mask\n" + "".join(rows[:20]))
    sample = "".join(f"{index:03d},1 1\n" for index in reversed(range(20, 26)))
    (tmp_path / "data" / "sample_submission.csv").write_text("id,rle_mask\n" + sample)
    (tmp_path / "data" / "solution.csv").write_text("id,rle_mask\n" + "".join(rows[20:]))
    experiment = tmp_path / "experiments" / "tiny"
    experiment.mkdir(parents=True)
    (experiment / "config.yaml").write_text(TINY_CONFIG)
    return Workspace(tmp_path)


@pytest.fixture
def same_arrays() -> Callable[[list[np.ndarray], list[np.ndarray]], bool]:
    def same(first: list[np.ndarray], second: list[np.ndarray]) -> bool:
        return len(first) == len(second) and all(map(np.array_equal, first, second))

    return same
