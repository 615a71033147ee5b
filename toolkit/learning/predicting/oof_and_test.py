"""Probability stores of an experiment: out-of-fold and test predictions, made where they are missing or stale."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.config.members import WHOLE, MemberPart
from toolkit.config.models import Config
from toolkit.core.arrays import Integers
from toolkit.core.folds.assignment import HOLDOUT
from toolkit.core.images.tiles import UNTILED
from toolkit.core.images.views import parse_views, views_name
from toolkit.files.data.sources import Images
from toolkit.files.disk.digests import digest, file_digest
from toolkit.files.experiment.folder import Experiment, Split
from toolkit.files.experiment.folds_csv import folds_digest
from toolkit.files.experiment.members import weights_of
from toolkit.files.experiment.resolved import Resolved
from toolkit.files.predictions.store import ProbabilityWriter, is_made_from
from toolkit.learning.predicting.fold_mean import Predicting
from toolkit.learning.predicting.predictor import Rows
from toolkit.messages import Progress

_IMAGES: dict[Split, str] = {"oof": "training", "test": "test", "holdout": "hold-out"}
_PREDICTION_KEYS = {
    "architecture",
    "architecture_options",
    "backbone",
    "first_convolution",
    "presence_head",
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
    plugins: Mapping[str, Any]
    part: MemberPart = WHOLE

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
            "images": self.resolved.digests["test_data" if split == "test" else "training_data"],
            "folds": "" if split == "test" else folds_digest(self.folds),
        }
        # Only where there is a head, and tiles: stores of others are what they always were.
        tiling = {} if self.config.tiling == UNTILED else {"tiling": repr(self.config.tiling)}
        return made_from | tiling | ({"presence": True} if self.config.presence_head else {})

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
    models = _predicting(fitted, [*missing])
    if "none" in missing and fitted.part == WHOLE:
        # A recipe belongs to the predictions that it was tuned on, and a score to those that it is of.
        fitted.experiment.forget_conclusions()
        fitted.experiment.score.unlink(missing_ok=True)
    held_out = {fold: np.flatnonzero(fitted.folds == fold) for fold in fitted.fold_numbers}
    parts = {fold: [fitted.ids[position] for position in positions] for fold, positions in held_out.items()}
    total = sum(models.count(images, ids) * fitted.networks([fold]) for fold, ids in parts.items())
    with (
        _writing(fitted, "oof", missing) as writers,
        progress.task(_title(fitted, f"{_IMAGES['oof']} images", [*missing]), total) as task,
    ):
        for fold, ids in parts.items():
            _write(models.rows(fitted.weights_of(fold), images, ids, task), writers)
    return True


def predict_test(fitted: FittedExperiment, images: Images, views: str | Sequence[str], progress: Progress) -> None:
    """Predict every test image with the mean over folds, quantised once; several sets of views as `predict_oof`."""
    _predict_by_all(fitted, "test", images, views, progress)


def predict_holdout(fitted: FittedExperiment, images: Images, views: str | Sequence[str], progress: Progress) -> bool:
    """Predict the hold-out as test images are predicted; returns whether there was anything to do.

    Args:
        fitted: the experiment.
        images: all labelled images, of which its folds tell the hold-out.
        views: one set of views, or several.
        progress: to talk to.
    """
    ids = frozenset(fitted.ids[position] for position in np.flatnonzero(fitted.folds == HOLDOUT))
    return _predict_by_all(fitted, "holdout", images.only(ids), views, progress)


def _predict_by_all(
    fitted: FittedExperiment, split: Split, images: Images, views: str | Sequence[str], progress: Progress
) -> bool:
    missing = _missing(fitted, split, views)
    if not missing:
        return False
    models = _predicting(fitted, [*missing])
    weights = [path for fold in fitted.fold_numbers for path in fitted.weights_of(fold)]
    total = models.count(images, images.ids) * len(weights)
    with (
        _writing(fitted, split, missing) as writers,
        progress.task(_title(fitted, f"{_IMAGES[split]} images", [*missing]), total) as task,
    ):
        _write(models.rows(weights, images, images.ids, task), writers)
    return True


def _predicting(fitted: FittedExperiment, sets: Sequence[str]) -> Predicting:
    return Predicting(fitted.experiment, fitted.config, fitted.resolved.precision, fitted.plugins, sets)


def _write(predicted: Iterable[Rows], writers: Sequence[ProbabilityWriter]) -> None:
    """Write rows of maps as they come, with each set of views to its writer."""
    for rows in predicted:
        for writer, probability, presence in zip(writers, rows.probabilities, rows.presences, strict=True):
            writer.append_rows(rows.image_id, rows.size[0], probability, presence)


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
