from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

from toolkit.config.loading import config_from_plain
from toolkit.config.models import Config
from toolkit.config.stage_values import Stage
from toolkit.core.arrays import Integers
from toolkit.files.data.sources import Images
from toolkit.files.datasets.dataset import find_dataset, find_labelled
from toolkit.files.experiment.folder import Experiment, StageFolder
from toolkit.files.experiment.folds_csv import read_folds
from toolkit.files.experiment.history import read_history
from toolkit.files.experiment.resolved import load_experiment, read_resolved
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.images.image_files import read_image
from toolkit.files.predictions.store import ProbabilityStore
from toolkit.messages import Progress, Silent, Task

if TYPE_CHECKING:  # they import TensorFlow, and some tests do not
    from toolkit.learning.predicting.fitted_experiment import FittedExperiment
    from toolkit.learning.predicting.predictor import Predicted, ViewsPredictor
    from toolkit.learning.reading.sample_reader import SampleReader
    from toolkit.learning.training.epoch_data import TrainingData


@dataclass(frozen=True)
class Lesson:
    """The configuration, stages and data of an experiment, as in training; images are in folds 0, 1, 0, 1, …"""

    config: Config
    stages: list[Stage]
    data: "TrainingData"
    folds: Integers


@pytest.fixture
def lesson(tiny_competition: Workspace) -> Callable[..., Lesson]:
    """Prepares the training of the experiment `plain` with overrides; nothing is computed yet."""
    from toolkit.learning.plugins import Plugins  # noqa: PLC0415
    from toolkit.learning.training.epoch_data import prepare_training_data  # noqa: PLC0415
    from toolkit.learning.training.plan import plan_training  # noqa: PLC0415

    def lesson(*overrides: str, name: str = "plain", workspace: Workspace = tiny_competition) -> Lesson:
        experiment = workspace.find(name)
        loaded = load_experiment(experiment, overrides)
        plan = plan_training(loaded, Plugins.of(experiment))
        dataset = find_dataset(loaded.config, Silent())
        folds = np.arange(len(dataset.index.ids)) % 2
        data = prepare_training_data(experiment, plan, dataset.pool(folds), Silent())
        return Lesson(loaded.config, list(plan.stages), data, folds)

    return lesson


@pytest.fixture
def predict_images() -> Callable[..., list[tuple[str, list["Predicted"]]]]:
    """Ids and predictions of whole images for each set of views, as `FoldMean` does with one network."""
    from toolkit.learning.predicting.predictor import Assembly, predict_tiles, whole_maps  # noqa: PLC0415
    from toolkit.learning.reading.sample_reader import tiles_of  # noqa: PLC0415

    def predict_images(
        predict: "ViewsPredictor",
        reader: "SampleReader",
        images: Images,
        ids: Sequence[str],
        task: Task | None = None,
    ) -> list[tuple[str, list["Predicted"]]]:
        tiles = [tile for image_id in ids for tile in tiles_of(reader, images, image_id)]
        assembly, finished = Assembly(reader, images), []
        with Silent().task("", 0) as silent:
            found = predict_tiles(predict, reader, images, tiles, task or silent)
            for tile, predicted in zip(tiles, found, strict=True):
                rows = assembly.add(tile.image_id, predicted)
                finished += [] if rows is None else [rows]
        return list(whole_maps(finished))

    return predict_images


def arrays_of(path: Path) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return found


def untitled(path: Path) -> bytes:
    """The pixels of a picture below its title, which has the name of the experiment."""
    return read_image(path)[70:].tobytes()


def outcome(experiment: Experiment) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path in sorted(experiment.folder.glob("fold*/**/*")):
        name = str(path.relative_to(experiment.folder))
        if path.suffix == ".h5":
            found[name] = {key: array.tobytes() for key, array in arrays_of(path).items()}
        elif path.name == "history.csv":
            found[name] = [replace(epoch, seconds=0.0, memory=0.0) for epoch in read_history(StageFolder(path.parent))]
        elif path.suffix == ".png":
            found[name] = untitled(path)
        elif path.is_file() and path.parent.name != "tensorboard":
            found[name] = path.read_bytes()
    for split in ("oof", "test"):
        if experiment.predictions(split).is_dir():
            found[split] = [(key, stored.tobytes()) for key, stored in ProbabilityStore(experiment.predictions(split))]
    for path in (experiment.score, experiment.image_scores):
        found[path.name] = path.read_bytes() if path.is_file() else b""
    found[experiment.curves.name] = untitled(experiment.curves)
    return found


class StopAfter(Silent):
    """Interrupts a run after the messages of this many epochs."""

    def __init__(self, epochs: int) -> None:
        self.left = epochs

    def say(self, message: str) -> None:
        self.left -= "epoch" in message
        if self.left == 0:
            raise KeyboardInterrupt


@pytest.fixture
def stop_after() -> Callable[[int], Progress]:
    """A progress that interrupts a run after so many epochs."""
    return StopAfter


@pytest.fixture(scope="module")
def as_fitted() -> Callable[[Experiment], "FittedExperiment"]:
    """A fitted experiment with everything that predicting with its folds needs."""
    from toolkit.learning.plugins import Plugins  # noqa: PLC0415
    from toolkit.learning.predicting.fitted_experiment import FittedExperiment  # noqa: PLC0415

    def as_fitted(experiment: Experiment) -> "FittedExperiment":
        resolved = read_resolved(experiment)
        config = config_from_plain(resolved.config, experiment.folder)
        ids = find_labelled(config).images.ids
        return FittedExperiment(
            experiment, config, resolved, ids, read_folds(experiment.folds, ids), Plugins.of(experiment)
        )

    return as_fitted


@pytest.fixture
def stored_arrays() -> Callable[[Path], dict[str, np.ndarray]]:
    """Reads every array of an HDF5 file by its name."""
    return arrays_of


@pytest.fixture
def different_results() -> Callable[[Experiment, Experiment], list[str]]:
    """Names of the results that differ between two experiments, bit for bit; times are left out."""

    def different(first: Experiment, second: Experiment) -> list[str]:
        ours, theirs = outcome(first), outcome(second)
        return sorted(name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name))

    return different
