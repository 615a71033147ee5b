"""Probability stores of an experiment: out-of-fold and test predictions, made where they are missing or stale."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
from toolkit.learning.batches import SampleReader
from toolkit.learning.networks import Network, build_network
from toolkit.learning.prediction import Predictor, predict_images, predictor
from toolkit.learning.runtime import configure, tf
from toolkit.messages import Progress

_CHUNK_BYTES = 1 << 28
_PREDICTION_KEYS = {"architecture", "backbone", "shape", "resize", "classes", "activation", "stored_probability"}


@dataclass(frozen=True)
class FittedExperiment:
    """An experiment whose folds are trained, and what predicting with it needs."""

    experiment: Experiment
    config: Config
    resolved: Resolved
    ids: tuple[str, ...]
    folds: Integers

    def made_from(self, split: Split, views: str) -> dict[str, Any]:
        """Digests by which a stale store is recognised."""
        last = len(self.config.stages) - 1
        weights = [file_digest(self.experiment.stage(fold, last).best_weights) for fold in self.fold_numbers]
        return {
            "views": views,
            "weights": weights,
            "config": digest(repr(self.config.model_dump(include=_PREDICTION_KEYS)).encode()),
            "precision": self.resolved.precision,
            "images": self.resolved.digests["training_data" if split == "oof" else "test_data"],
            "folds": folds_digest(self.folds) if split == "oof" else "",
        }

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
        # A recipe belongs to the predictions that it was tuned on.
        fitted.experiment.tuned.unlink(missing_ok=True)
    models = _Models(fitted, views)
    config = fitted.config
    with (
        ProbabilityWriter(folder, config.stored_probability, made_from) as writer,
        progress.task(_title(fitted, "training images", views), len(fitted.ids)) as task,
    ):
        for fold in fitted.fold_numbers:
            ids = [fitted.ids[position] for position in np.flatnonzero(fitted.folds == fold)]
            predict = models.of_fold(fold)
            for image_id, probability in predict_images(
                predict, models.reader, images, ids, batch=config.batch, task=task
            ):
                writer.append(image_id, probability)
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
    with (
        ProbabilityWriter(folder, config.stored_probability, made_from) as writer,
        progress.task(_title(fitted, "test images", views), len(images.ids) * config.folds_count) as task,
    ):
        for ids in _chunks(images, config.classes):
            sums: dict[str, Probability] = {}
            for fold in fitted.fold_numbers:
                predict = models.of_fold(fold)
                for image_id, probability in predict_images(
                    predict, models.reader, images, ids, batch=config.batch, task=task
                ):
                    sums[image_id] = sums[image_id] + probability if image_id in sums else probability
            for image_id, total in sums.items():
                writer.append(image_id, total / np.float32(config.folds_count))


class _Models:
    """One network that takes the weights of one fold after the other."""

    def __init__(self, fitted: FittedExperiment, views: str) -> None:
        configure("bfloat16" if fitted.resolved.precision == "bfloat16" else "float32")
        tf.keras.backend.clear_session()
        # Every weight is replaced by a fold's: downloading those of imagenet would be for nothing.
        bare = fitted.config.model_copy(update={"encoder_weights": None})
        self._fitted = fitted
        self._network: Network = build_network(bare, fitted.config.seed)
        self._predict = predictor(self._network, views)
        height, width, _ = fitted.config.shape
        self.reader = SampleReader((height, width), fitted.config.resize)

    def of_fold(self, fold: int) -> Predictor:
        """The predictor, with the best weights of a fold's last stage."""
        last = len(self._fitted.config.stages) - 1
        self._network.load_weights(self._fitted.experiment.stage(fold, last).best_weights)
        return self._predict


def _chunks(images: Images, classes: int) -> Iterator[Sequence[str]]:
    """Cut the ids so that the maps of a chunk take a bounded part of the memory."""
    chunk: list[str] = []
    size = 0
    for image_id in images.ids:
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
