import gc
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from toolkit.commands.ensembling.ensemble import ensemble
from toolkit.commands.session import Session
from toolkit.commands.training.fit import fit
from toolkit.core.masks.rle import encode
from toolkit.core.simulated.salt import simulate_salt
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.workspace import Workspace

REAL_DATA = Path(__file__).parents[2] / "shared" / "data"

_BLANK = cv2.imencode(".png", np.zeros((1, 1), np.uint8))[1].tobytes()

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

PLAIN_CONFIG = """\
extends: ../tiny/config.yaml
architecture: ModularUnet
architecture_options: {depth: 1, convolutions: 1, start_filters: 4}
backbone: null
lr: 0.01
stages: [{epochs: 1}]
"""
"""The same with a tiny network, for tests that do not depend on the network."""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Skip modules whose mark is deselected, without importing them: they import TensorFlow, which takes seconds."""
    if collection_path.suffix != ".py":
        return None
    text = collection_path.read_text("utf-8")
    deselected = [mark for mark in ("tf", "train") if f"not {mark}" in config.option.markexpr]
    return any(f"\npytestmark = pytest.mark.{mark}\n" in text for mark in deselected) or None


def pytest_collection_finish() -> None:
    """Keep garbage collection from going through all tests and modules again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


@pytest.fixture(autouse=True)
def no_syncing() -> Iterator[None]:
    """Do not sync files of tests, which saves thousands of waits for the disk.

    A test about syncing itself puts its own `os.fsync` in place. With a patch of its own, because whoever asks for
    `monkeypatch` first decides when all that a test has patched is put back.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(autouse=True, scope="module")
def blank_figures() -> Iterator[None]:
    """Write a single pixel instead of a figure, whose layout takes as long as training a tiny network.

    Modules about pictures replace this fixture by one that does nothing.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 # slow to import

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", lambda _, file, **__: file.write(_BLANK))
        yield


@pytest.fixture
def real_data() -> Path:
    if not REAL_DATA.is_dir():
        pytest.skip("the real images are not here: ../shared/data")
    return REAL_DATA


@cache
def tiny_image(index: int) -> tuple[bytes, str]:
    """The content of an image file, and its mask as runs."""
    simulated = simulate_salt(index, seed=3, size=(40, 48))
    return cv2.imencode(".png", simulated.image)[1].tobytes(), encode(simulated.mask)


def make_tiny(root: Path) -> Workspace:
    """Twenty training and six test images of 40×48, with labels, sample submission, and an experiment `tiny`."""
    rows = []
    for index in range(26):
        folder = root / "data" / ("train" if index < 20 else "test") / "images"
        folder.mkdir(parents=True, exist_ok=True)
        content, runs = tiny_image(index)
        (folder / f"{index:03d}.png").write_bytes(content)
        rows.append(f"{index:03d},{runs}\n")
    (root / "data" / "train.csv").write_text("id,rle_mask\n" + "".join(rows[:20]))
    sample = "".join(f"{index:03d},1 1\n" for index in reversed(range(20, 26)))
    (root / "data" / "sample_submission.csv").write_text("id,rle_mask\n" + sample)
    (root / "data" / "solution.csv").write_text("id,rle_mask\n" + "".join(rows[20:]))
    for name, text in (("tiny", TINY_CONFIG), ("plain", PLAIN_CONFIG)):
        experiment = root / "experiments" / name
        experiment.mkdir(parents=True)
        (experiment / "config.yaml").write_text(text)
    return Workspace(root)


@pytest.fixture
def tiny_competition(tmp_path: Path) -> Workspace:
    """A tiny competition for one test."""
    return make_tiny(tmp_path)


@pytest.fixture(scope="module")
def shared_competition(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A tiny competition that all tests of a module share, so that networks are trained once."""
    return make_tiny(tmp_path_factory.mktemp("shared"))


@pytest.fixture(scope="session")
def write_experiment() -> Callable[..., Experiment]:
    """Writes an experiment that extends another one, by default `plain`, with further lines of YAML."""

    def write_experiment(workspace: Workspace, name: str, lines: str = "", extends: str = "plain") -> Experiment:
        folder = workspace.experiments / name
        folder.mkdir()
        (folder / "config.yaml").write_text(f"extends: ../{extends}/config.yaml\n{lines}")
        return workspace.find(name)

    return write_experiment


@pytest.fixture
def same_arrays() -> Callable[[list[np.ndarray], list[np.ndarray]], bool]:
    def same(first: list[np.ndarray], second: list[np.ndarray]) -> bool:
        return len(first) == len(second) and all(map(np.array_equal, first, second))

    return same


@pytest.fixture(scope="session")
def fitted_competition(
    tmp_path_factory: pytest.TempPathFactory, write_experiment: Callable[..., Experiment]
) -> Workspace:
    """A tiny competition with the fitted `plain` and `other`, and their ensemble `both`; not to be changed."""
    workspace = make_tiny(tmp_path_factory.mktemp("fitted"))
    write_experiment(workspace, "other", "seed: 1\n")
    for name in ("plain", "other"):
        fit(Session(workspace), name)
    ensemble(Session(workspace), ["plain", "other"], name="both", weights=[0.75, 0.25])
    return workspace
