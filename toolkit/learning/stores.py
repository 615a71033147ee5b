"""Probability stores of an experiment: out-of-fold and test predictions, made where they are missing or stale."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.config.models import Config
from toolkit.core.arrays import Integers, Probability
from toolkit.files.digests import digest, file_digest
from toolkit.files.experiment import Experiment, Split
from toolkit.files.fold_table import folds_digest
from toolkit.files.images import read_size
from toolkit.files.resolved import Resolved
from toolkit.files.sources import Images
from toolkit.files.store import ProbabilityWriter, is_made_from
from toolkit.learning.batches import build_reader
from toolkit.learning.networks import Network, build_network
from toolkit.learning.prediction import Predictor, predict_images
from toolkit.learning.runtime import configure, parse_precision, tf
from toolkit.messages import Progress, Task

_CHUNK_BYTES = 1 << 28
_PREDICTION_KEYS = {
    "architecture",
    "architecture_options",
    "backbone",
    "first_convolution",
    "emptiness_head",
    "resize",
    "classes",
    "activation",
    "transforms",
    "stored_probability",
}


@dataclass(frozen=True)
class FittedExperiment:
    """An experiment whose folds are trained, and what predicting with it needs."""

    experiment: Experiment
    config: Config
    resolved: Resolved
    ids: tuple[str, ...]
    folds: Integers
    own: Mapping[str, Any]

    def made_from(self, split: Split, views: str) -> dict[str, Any]:
        """Digests by which a stale store is recognised."""
        weights = [file_digest(path) for fold in self.fold_numbers for path in self.weights_of(fold)]
        shape = self.config.prediction_shape
        return {
            "views": views,
            "weights": weights,
            "config": digest(repr((shape, self.config.model_dump(include=_PREDICTION_KEYS))).encode()),
            "precision": self.resolved.precision,
            "images": self.resolved.digests["training_data" if split == "oof" else "test_data"],
            "folds": folds_digest(self.folds) if split == "oof" else "",
        }

    def weights_of(self, fold: int) -> list[Path]:
        """The best weights of a fold's last stage, one file for each seed that it was trained with."""
        last = len(self.config.stages) - 1
        repeats = range(self.config.num_seeds)
        return [self.experiment.stage(fold, last, repeat).best_weights for repeat in repeats]

    @property
    def fold_numbers(self) -> range:
        """0 to the last fold."""
        return range(self.config.folds_count)


def predict_oof(fitted: FittedExperiment, images: Images, views: str, progress: Progress) -> bool:
    """Predict every training image with the fold that never saw it; returns whether there was anything to do."""
    made_from = fitted.made_from("oof", views)
    folder = fitted.experiment.predictions("oof", views)
    if is_made_from(folder, made_from):
        return False
    if views == "none":
        # A recipe belongs to the predictions that it was tuned on, and a score to those that it is of.
        fitted.experiment.tuned.unlink(missing_ok=True)
        fitted.experiment.score.unlink(missing_ok=True)
    models = _Models(fitted, views)
    config = fitted.config
    with (
        ProbabilityWriter(folder, config.stored_probability, made_from) as writer,
        progress.task(_title(fitted, "training images", views), len(fitted.ids) * config.num_seeds) as task,
    ):
        for fold in fitted.fold_numbers:
            ids = [fitted.ids[position] for position in np.flatnonzero(fitted.folds == fold)]
            for part in _chunks(images, ids, config.task_classes.count):
                sums = models.summed([fold], images, part, task)
                for image_id, total in sums.items():
                    writer.append(image_id, total / np.float32(config.num_seeds))
    return True


def predict_test(fitted: FittedExperiment, images: Images, views: str, progress: Progress) -> None:
    """Predict every test image with the mean over folds, quantised once.

    Images are taken in chunks, and each chunk is predicted by all folds in turn: memory is bounded by the chunk.
    """
    made_from = fitted.made_from("test", views)
    folder = fitted.experiment.predictions("test", views)
    if is_made_from(folder, made_from):
        return
    models = _Models(fitted, views)
    config = fitted.config
    networks = config.folds_count * config.num_seeds
    with (
        ProbabilityWriter(folder, config.stored_probability, made_from) as writer,
        progress.task(_title(fitted, "test images", views), len(images.ids) * networks) as task,
    ):
        for ids in _chunks(images, images.ids, config.task_classes.count):
            sums = models.summed(fitted.fold_numbers, images, ids, task)
            for image_id, total in sums.items():
                writer.append(image_id, total / np.float32(networks))


class _Models:
    """One network that takes the weights of one fold after the other."""

    def __init__(self, fitted: FittedExperiment, views: str) -> None:
        configure(parse_precision(fitted.resolved.precision))
        tf.keras.backend.clear_session()
        config = fitted.config
        own = fitted.own
        # Every weight is replaced by a fold's: downloading those of imagenet would be for nothing.
        bare = config.network_spec(config.prediction_shape).model_copy(update={"encoder_weights": None})
        self._fitted = fitted
        self._network: Network = build_network(bare, config.seed, own=own)
        self._predict = Predictor(self._network, views, config.activation)
        self._reader = build_reader(config, lambda key: f"{fitted.experiment.resolved}: {'.'.join(map(str, key))}", own)

    def summed(self, folds: Iterable[int], images: Images, ids: Sequence[str], task: Task) -> dict[str, Probability]:
        """Sum of the predictions of folds, by id; a single prediction is the very one."""
        sums: dict[str, Probability] = {}
        config = self._fitted.config
        batch = config.stages[-1].batch or config.batch
        for fold in folds:
            for path in self._fitted.weights_of(fold):
                self._network.load_weights(path)
                predicted = predict_images(self._predict, self._reader, images, ids, batch=batch, task=task)
                for image_id, probability in predicted:
                    sums[image_id] = sums[image_id] + probability if image_id in sums else probability
        return sums


def _chunks(images: Images, ids: Sequence[str], classes: int) -> Iterator[Sequence[str]]:
    """Cut the ids so that the maps of a chunk take a bounded part of the memory."""
    chunk: list[str] = []
    size = 0
    for image_id in ids:
        height, width = read_size(images.paths[image_id])
        needed = height * width * classes * np.dtype(np.float32).itemsize
        if chunk and size + needed > _CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
        chunk.append(image_id)
        size += needed
    yield chunk


def _title(fitted: FittedExperiment, what: str, views: str) -> str:
    return f"{fitted.experiment.name}: predicting {what}" + ("" if views == "none" else f" with {views}")
