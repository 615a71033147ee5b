"""Probability stores of an experiment: out-of-fold and test predictions, made where they are missing or stale."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.config.members import WHOLE, Part
from toolkit.config.models import Config
from toolkit.config.view_shapes import view_shapes
from toolkit.core.arrays import Integers, Presence, Probability
from toolkit.core.views import parse_views, views_name
from toolkit.errors import NetworkError
from toolkit.files.digests import digest, file_digest
from toolkit.files.experiment import Experiment, Split
from toolkit.files.fold_table import folds_digest
from toolkit.files.members import weights_of
from toolkit.files.resolved import Resolved
from toolkit.files.sources import Images
from toolkit.files.store import ProbabilityWriter, is_made_from
from toolkit.learning.batches import build_reader
from toolkit.learning.networks import Network, build_network
from toolkit.learning.prediction import Predicted, ViewsPredictor, predict_images
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
    part: Part = WHOLE

    def predictions(self, split: Split, views: str) -> Path:
        """The folder of a store."""
        return self.experiment.predictions(split, views, self.part.words)

    def made_from(self, split: Split, views: str) -> dict[str, Any]:
        """Digests by which a stale store is recognised."""
        weights = [file_digest(path) for fold in self.fold_numbers for path in self.weights_of(fold)]
        shape = self.config.prediction_shape
        made_from = {
            "views": views_name(parse_views(views)),
            "weights": weights,
            "config": digest(repr((shape, self.config.model_dump(include=_PREDICTION_KEYS))).encode()),
            "precision": self.resolved.precision,
            "images": self.resolved.digests["training_data" if split == "oof" else "test_data"],
            "folds": folds_digest(self.folds) if split == "oof" else "",
        }
        # Only where there is a head: stores of networks without one are what they always were.
        return made_from | ({"presence": True} if self.config.emptiness_head else {})

    def weights_of(self, fold: int) -> list[Path]:
        """The weights that predict with a fold: of the whole experiment the best of its last stage, for each seed."""
        return weights_of(self.experiment, self.part, fold, stages=len(self.config.stages), seeds=self.config.num_seeds)

    def networks(self, folds: Sequence[int]) -> int:
        """How many networks predict with some folds."""
        return sum(len(self.weights_of(fold)) for fold in folds)

    @property
    def fold_numbers(self) -> Sequence[int]:
        """0 to the last fold, or the only one that predicts."""
        return range(self.config.folds_count) if self.part.fold is None else [self.part.fold]


def predict_oof(fitted: FittedExperiment, images: Images, views: str | Sequence[str], progress: Progress) -> bool:
    """Predict every training image with the fold that never saw it; returns whether there was anything to do.

    Several sets of views each get their store, in one pass that reads every image once; only those that are missing or
    stale are made. What is stored for a set does not depend on the others.

    Raises:
        ConfigError: two scales of the views come to the same size of the network's input.
        NetworkError: a network of the user's own cannot take another size.
    """
    missing = _missing(fitted, "oof", views)
    if not missing:
        return False
    models = _Models(fitted, [*missing])
    if "none" in missing and fitted.part == WHOLE:
        # A recipe belongs to the predictions that it was tuned on, and a score to those that it is of.
        fitted.experiment.forget_conclusions()
        fitted.experiment.score.unlink(missing_ok=True)
    held_out = {fold: np.flatnonzero(fitted.folds == fold) for fold in fitted.fold_numbers}
    total = sum(len(positions) * fitted.networks([fold]) for fold, positions in held_out.items())
    with (
        _writing(fitted, "oof", missing) as writers,
        progress.task(_title(fitted, "training images", [*missing]), total) as task,
    ):
        for fold, positions in held_out.items():
            ids = [fitted.ids[position] for position in positions]
            for part in models.chunks(images, ids):
                models.predict([fold], images, part, writers, task)
    return True


def predict_test(fitted: FittedExperiment, images: Images, views: str | Sequence[str], progress: Progress) -> None:
    """Predict every test image with the mean over folds, quantised once; several sets of views as `predict_oof` does.

    Images are taken in chunks, and each chunk is predicted by all folds in turn: memory is bounded by the chunk.
    """
    missing = _missing(fitted, "test", views)
    if not missing:
        return
    models = _Models(fitted, [*missing])
    total = len(images.ids) * fitted.networks(fitted.fold_numbers)
    with (
        _writing(fitted, "test", missing) as writers,
        progress.task(_title(fitted, "test images", [*missing]), total) as task,
    ):
        for part in models.chunks(images, images.ids):
            models.predict(fitted.fold_numbers, images, part, writers, task)


class _Models:
    """Networks that take the weights of one fold after the other, one for each size of input that views ask for."""

    def __init__(self, fitted: FittedExperiment, sets: Sequence[str]) -> None:
        config, own = fitted.config, fitted.own
        self._fitted, self._sets = fitted, [parse_views(views) for views in sets]
        every = [view for views in self._sets for view in views]
        shapes = view_shapes(config, every, own)
        configure(parse_precision(fitted.resolved.precision))
        tf.keras.backend.clear_session()
        height, width, channels = config.prediction_shape
        sizes = dict.fromkeys([(height, width), *(view.size(shapes[view.scale]) for view in every)])
        self._networks = {size: self._build((*size, channels)) for size in sizes}
        self._predict = ViewsPredictor(self._networks, shapes, self._sets, config.activation)
        self._reader = build_reader(config, lambda key: f"{fitted.experiment.resolved}: {'.'.join(map(str, key))}", own)

    def predict(
        self, folds: Iterable[int], images: Images, ids: Sequence[str], writers: Sequence[ProbabilityWriter], task: Task
    ) -> None:
        """Write the mean prediction of folds, with each set of views to its writer; a single one is the very one."""
        sums: dict[str, list[_Sum]] = {image_id: [_Sum() for _ in self._sets] for image_id in ids}
        batch = self._fitted.config.stages[-1].batch or self._fitted.config.batch
        for path in [path for fold in folds for path in self._fitted.weights_of(fold)]:
            self._load(path)
            for image_id, found in predict_images(self._predict, self._reader, images, ids, batch=batch, task=task):
                for total, predicted in zip(sums[image_id], found, strict=True):
                    total.add(predicted)
        for image_id in ids:
            for writer, total in zip(writers, sums.pop(image_id), strict=True):
                writer.append(image_id, *total.mean())

    def chunks(self, images: Images, ids: Sequence[str]) -> Iterator[Sequence[str]]:
        """Cut the ids so that the maps of a chunk, with all sets of views, take a bounded part of the memory."""
        chunk: list[str] = []
        size = 0
        maps = self._fitted.config.class_count * len(self._sets)
        for image_id in ids:
            height, width = images.size(image_id)
            needed = height * width * maps * np.dtype(np.float32).itemsize
            if chunk and size + needed > _CHUNK_BYTES:
                yield chunk
                chunk, size = [], 0
            chunk.append(image_id)
            size += needed
        yield chunk

    def _build(self, shape: tuple[int, int, int]) -> Network:
        config, own = self._fitted.config, self._fitted.own
        # Every weight is replaced by a fold's: downloading those of imagenet would be for nothing.
        bare = config.network_spec(shape).model_copy(update={"encoder_weights": None})
        return build_network(bare, config.seed, own=own)

    def _load(self, path: Path) -> None:
        (_, first), *others = self._networks.items()
        first.load_weights(path)
        weights = first.model.get_weights()
        for size, network in others:
            try:
                network.model.set_weights(weights)
            except ValueError as error:
                raise NetworkError(
                    f"{self._fitted.config.architecture} has weights whose shapes depend on the size of its input: "
                    f"those of its training do not fit an input of {size[0]}×{size[1]}, as views of another scale, or "
                    "transposed ones of an input that is not square, ask for",
                    "Use views that keep the size: hflip, vflip, rot180 or flips.",
                ) from error


class _Sum:
    """Sum of the predictions of one image; that of a single one is the very one."""

    def __init__(self) -> None:
        self._count = 0
        self._probability: Any = None
        self._presence: Any = None

    def add(self, predicted: Predicted) -> None:
        """Add what one network predicts."""
        self._probability = predicted.probability if not self._count else self._probability + predicted.probability
        if predicted.presence is not None:
            self._presence = predicted.presence if not self._count else self._presence + predicted.presence
        self._count += 1

    def mean(self) -> tuple[Probability, Presence | None]:
        """The mean map and presence."""
        count = np.float32(self._count)
        return self._probability / count, None if self._presence is None else self._presence / count


def _missing(fitted: FittedExperiment, split: Split, views: str | Sequence[str]) -> dict[str, dict[str, Any]]:
    """What the stores that are missing or stale are to be made from, by the one name of their set of views."""
    names = dict.fromkeys(views_name(parse_views(text)) for text in ([views] if isinstance(views, str) else views))
    plain = fitted.made_from(split, "none")  # once: it reads all weights
    wanted = {name: plain | {"views": name} for name in names}
    return {
        name: made_from
        for name, made_from in wanted.items()
        if not is_made_from(fitted.predictions(split, name), made_from)
    }


@contextmanager
def _writing(
    fitted: FittedExperiment, split: Split, missing: Mapping[str, Mapping[str, Any]]
) -> Iterator[list[ProbabilityWriter]]:
    """One writer for each set of views."""
    stored_type = fitted.config.stored_probability
    with ExitStack() as stack:
        yield [
            stack.enter_context(ProbabilityWriter(fitted.predictions(split, views), stored_type, made_from))
            for views, made_from in missing.items()
        ]


def _title(fitted: FittedExperiment, what: str, sets: Sequence[str]) -> str:
    title = f"{':'.join((fitted.experiment.name, *fitted.part.words))}: predicting {what}"
    if len(sets) > 1:
        return f"{title} with {len(sets)} sets of views"
    return title if sets[0] == "none" else f"{title} with {sets[0]}"
