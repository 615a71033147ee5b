"""Probability stores of an experiment: out-of-fold, test and hold-out predictions, made if missing or stale."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, get_args

import numpy as np

from toolkit.config.members import WHOLE, MemberPart
from toolkit.config.models import Config
from toolkit.config.training.execution import EngineChoice, EngineName
from toolkit.core.arrays import Integers
from toolkit.core.folds.assignment import HOLDOUT
from toolkit.core.images.resizing import scale_map
from toolkit.core.images.tiles import UNTILED
from toolkit.core.images.views import parse_views, views_name
from toolkit.core.recipe.probabilities import to_probability
from toolkit.files.data.sources import Images
from toolkit.files.disk.changes import delete, delete_folder
from toolkit.files.disk.digests import digest, file_digest
from toolkit.files.experiment.folder import Experiment, Split
from toolkit.files.experiment.folds_csv import folds_digest
from toolkit.files.experiment.members import weights_of
from toolkit.files.experiment.resolved import Resolved
from toolkit.files.experiment.trained import trained_folds
from toolkit.files.predictions.store import ProbabilityStore, ProbabilityWriter, engines_of, is_made_from
from toolkit.learning.predicting.engine_choice import engine_by_auto, engine_that_agrees, unfit
from toolkit.learning.predicting.fold_mean import FoldMean
from toolkit.learning.predicting.predictor import Rows, whole_maps
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

Networks = Callable[[], FoldMean]
"""Gives networks that predict."""


@dataclass(frozen=True)
class FittedExperiment:
    """An experiment whose folds are trained, with everything that predicting needs.

    `ids` are the labelled images, `folds` their folds, `int64 (images,)`; `part` is the part that predicts.
    """

    experiment: Experiment
    config: Config
    resolved: Resolved
    ids: tuple[str, ...]
    folds: Integers
    plugins: Mapping[str, Any]
    part: MemberPart = WHOLE

    def predictions(self, split: Split, views: str) -> Path:
        """The folder of a probability store."""
        return self.experiment.predictions(split, views, self.part.words)

    @property
    def engine(self) -> EngineChoice:
        """What should compute the networks: as asked for this command, or by the configuration."""
        return self.experiment.engine or self.config.engine

    def is_current(self, split: Split, views: str) -> bool:
        """Whether there is a store made from the present weights, by an engine that may be used."""
        folder = self.predictions(split, views)
        return any(is_made_from(folder, self.made_from(split, views, engine)) for engine in self.engines())

    def engines(self) -> tuple[EngineName, ...]:
        """The engines whose stores are valid; with OpenVINO also TensorFlow's, if it had to take over."""
        if self.engine == "openvino" and not unfit(self.experiment, self.weights):
            return ("openvino",)
        return ("tensorflow",) if self.engine == "tensorflow" else ("tensorflow", "openvino")

    @property
    def weights(self) -> list[Path]:
        """The weight files of all folds."""
        return [path for fold in self.fold_numbers for path in self.weights_of(fold)]

    def made_from(self, split: Split, views: str, engine: EngineName = "tensorflow") -> dict[str, Any]:
        """Digests and settings by which a stale store is recognised."""
        weights = [file_digest(path) for path in self.weights]
        shape = self.config.prediction_shape
        made_from = {
            "views": views_name(parse_views(views)),
            "weights": weights,
            "config": digest(repr((shape, self.config.model_dump(include=_PREDICTION_KEYS))).encode()),
            "precision": self.resolved.precision,
            "images": self.resolved.digests["test_data" if split == "test" else "training_data"],
            "folds": "" if split == "test" else folds_digest(self.folds),
        }
        # These keys are left out where they are not set, so that older stores stay valid.
        tiling = {} if self.config.tiling == UNTILED else {"tiling": repr(self.config.tiling)}
        tiling |= {} if self.config.scored_size is None else {"size": repr(self.config.scored_size)}
        tiling |= {} if engine == "tensorflow" else {"engine": engine}
        return made_from | tiling | ({"presence": True} if self.config.presence_head else {})

    def weights_of(self, fold: int) -> list[Path]:
        """The weight files of a fold: the best of its last stage for each seed, or those of the part."""
        return weights_of(self.experiment, self.part, fold, stages=len(self.config.stages), seeds=self.config.num_seeds)

    @property
    def pixels_held_out(self) -> int:
        """Pixels of the images that a fold holds out on average, at the size of the network."""
        height, width, _ = self.config.prediction_shape
        return int((self.folds >= 0).sum()) * height * width // self.config.folds_count

    def networks(self, folds: Sequence[int]) -> int:
        """The number of weight files of some folds."""
        return sum(len(self.weights_of(fold)) for fold in folds)

    def of_fold(self, fold: int) -> "FittedExperiment":
        """One fold of the whole experiment, which need not have others that are trained."""
        return replace(self, part=MemberPart(fold=fold))

    @property
    def fold_numbers(self) -> Sequence[int]:
        """All trained folds, or the only one of the part."""
        if self.part.fold is not None:
            return [self.part.fold]
        counts = {"folds": self.config.folds_count, "seeds": self.config.num_seeds}
        return trained_folds(self.experiment, stages=len(self.config.stages), **counts)


def predict_oof(
    fitted: FittedExperiment,
    images: Images,
    views: str | Sequence[str],
    progress: Progress,
    networks: Networks | None = None,
) -> bool:
    """Predict every training image with the fold that was not trained on it; returns whether any store was made.

    Each set of views has a store of its own. All that are missing or stale are made in one pass, which reads every
    image once. The store of a set does not depend on the other sets. Folds that were predicted alone, without further
    views, are not predicted again: their stores become part of that of the experiment.

    Args:
        fitted: the experiment.
        images: the labelled images.
        views: one set of views, or several.
        progress: shows the work.
        networks: gives `plain_networks` to predict with; it is called only if something has to be predicted without
            further views. New networks by default.

    Raises:
        ConfigError: two scales of the views give the same input size.
        NetworkError: a network of plugins cannot take another input size.
    """
    names = _missing(fitted, "oof", views)
    if not names:
        return False
    if "none" in names and fitted.part == WHOLE:
        # The recipe and the scores belong to the predictions that are replaced.
        fitted.experiment.forget_conclusions()
        delete(fitted.experiment.score)
    held_out = {fold: np.flatnonzero(fitted.folds == fold) for fold in fitted.fold_numbers}
    by_fold = {fold: [fitted.ids[position] for position in positions] for fold, positions in held_out.items()}
    built = _built(fitted, names, networks)
    engine = _engine(fitted, images, by_fold, built, progress)
    found = {name: _predicted_alone(fitted, name) if names == ["none"] else {} for name in get_args(EngineName)}
    alone = found[engine]
    left = {fold: ids for fold, ids in by_fold.items() if fold not in alone}
    total = sum(built().count(images, ids) * fitted.networks([fold]) for fold, ids in left.items())
    with (
        _writing(fitted, "oof", names, engine) as writers,
        progress.task(_title(fitted, f"{_IMAGES['oof']} images", names), total) as task,
    ):
        for fold, ids in by_fold.items():
            if fold in alone:
                _copy(ProbabilityStore(alone[fold]), writers)
            else:
                rows = built().rows(fitted.weights_of(fold), images, ids, task, engine=engine)
                _write(rows, writers, fitted.config.scored_size)
    for folder in (folder for folders in found.values() for folder in folders.values()):
        delete_folder(folder)
    return True


def plain_networks(fitted: FittedExperiment) -> FoldMean:
    """The networks of an experiment, for predictions without further views."""
    return _fold_mean(fitted, ["none"])


def predict_test(
    fitted: FittedExperiment,
    images: Images,
    views: str | Sequence[str],
    progress: Progress,
    networks: Networks | None = None,
) -> None:
    """Predict every test image with the mean over folds, quantised once; see `predict_oof` for views and networks."""
    _predict_by_all(fitted, "test", images, views, progress, networks=networks)


def predict_holdout(
    fitted: FittedExperiment,
    images: Images,
    views: str | Sequence[str],
    progress: Progress,
    networks: Networks | None = None,
) -> bool:
    """Predict the hold-out in the same way as test images; returns whether any store was made.

    Args:
        fitted: the experiment, whose folds say which images are the hold-out.
        images: the labelled images.
        views: one set of views, or several.
        progress: shows the work.
        networks: see `predict_oof`.
    """
    ids = frozenset(fitted.ids[position] for position in np.flatnonzero(fitted.folds == HOLDOUT))
    return _predict_by_all(fitted, "holdout", images.only(ids), views, progress, networks=networks)


def _predict_by_all(
    fitted: FittedExperiment,
    split: Split,
    images: Images,
    views: str | Sequence[str],
    progress: Progress,
    *,
    networks: Networks | None,
) -> bool:
    names = _missing(fitted, split, views)
    if not names:
        return False
    built, weights = _built(fitted, names, networks)(), fitted.weights
    engine = _engine(fitted, images, dict.fromkeys(fitted.fold_numbers, images.ids), lambda: built, progress)
    total = built.count(images, images.ids) * len(weights)
    with (
        _writing(fitted, split, names, engine) as writers,
        progress.task(_title(fitted, f"{_IMAGES[split]} images", names), total) as task,
    ):
        folds = len(fitted.fold_numbers) if len(fitted.fold_numbers) > 1 else 0
        rows = built.rows(weights, images, images.ids, task, folds=folds, engine=engine)
        _write(rows, writers, fitted.config.scored_size)
        if built.single is not None:
            for number, writer in enumerate(writers):
                writer.fold_spread = built.single.spread(number)
    return True


def _built(fitted: FittedExperiment, sets: Sequence[str], plain: Networks | None) -> Networks:
    """Gives the networks for sets of views, which are built once and only if needed: `plain` ones without views."""
    return cache(plain if plain is not None and sets == ["none"] else partial(_fold_mean, fitted, sets))


def _fold_mean(fitted: FittedExperiment, sets: Sequence[str]) -> FoldMean:
    return FoldMean(fitted.experiment, fitted.config, fitted.resolved.precision, fitted.plugins, sets)


def _engine(
    fitted: FittedExperiment,
    images: Images,
    by_fold: Mapping[int, Sequence[str]],
    networks: Networks,
    progress: Progress,
) -> EngineName:
    """What computes predictions that are missing; images with the ids of a fold serve to compare engines."""
    wanted = fitted.engine
    if wanted == "auto":
        wanted, reason = engine_by_auto(engines_of(fitted.experiment.predictions("oof")), fitted.pixels_held_out)
        if reason:
            progress.say(f"{fitted.experiment.name}: {reason}; TensorFlow predicts instead")
    if wanted == "tensorflow":
        return wanted
    ids = {path: ids for fold, ids in by_fold.items() for path in fitted.weights_of(fold)}
    return engine_that_agrees(
        fitted.experiment, ids, lambda path, some: networks().agreement(path, images, some), progress
    )


def _predicted_alone(fitted: FittedExperiment, engine: EngineName) -> dict[int, Path]:
    """The stores of single folds of a whole experiment that are up to date and made by an engine, by fold."""
    folds = [fitted.of_fold(fold) for fold in fitted.fold_numbers] if fitted.part == WHOLE else []
    folders = {fold: one.predictions("oof", "none") for fold, one in enumerate(folds)}
    return {
        fold: folder
        for fold, folder in folders.items()
        if is_made_from(folder, folds[fold].made_from("oof", "none", engine))
    }


def _copy(store: ProbabilityStore, writers: Sequence[ProbabilityWriter]) -> None:
    for image_id, stored in store:
        for writer in writers:
            writer.append(image_id, to_probability(stored), store.presence(image_id))


def _write(predicted: Iterable[Rows], writers: Sequence[ProbabilityWriter], size: tuple[int, int] | None) -> None:
    """Write rows of maps as they are finished, or whole maps scaled to `size`, each set of views to its writer."""
    if size is not None:
        for image_id, maps in whole_maps(predicted):
            for writer, one in zip(writers, maps, strict=True):
                writer.append_rows(image_id, size[0], scale_map(one.probability, size), one.presence)
        return
    for rows in predicted:
        for writer, probability, presence in zip(writers, rows.probabilities, rows.presences, strict=True):
            writer.append_rows(rows.image_id, rows.size[0], probability, presence)


def _missing(fitted: FittedExperiment, split: Split, views: str | Sequence[str]) -> list[str]:
    """The names of the sets of views whose stores are missing or stale."""
    names = dict.fromkeys(views_name(parse_views(text)) for text in ([views] if isinstance(views, str) else views))
    # Once, because it reads all weight files.
    valid = [fitted.made_from(split, "none", engine) for engine in fitted.engines()]
    return [
        name
        for name in names
        if not any(is_made_from(fitted.predictions(split, name), one | {"views": name}) for one in valid)
    ]


@contextmanager
def _writing(
    fitted: FittedExperiment, split: Split, names: Sequence[str], engine: EngineName
) -> Iterator[list[ProbabilityWriter]]:
    """Open a writer for each set of views."""
    stored_type, made_from = fitted.config.stored_probability, fitted.made_from(split, "none", engine)
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                ProbabilityWriter(fitted.predictions(split, name), stored_type, made_from | {"views": name})
            )
            for name in names
        ]


def _title(fitted: FittedExperiment, what: str, sets: Sequence[str]) -> str:
    title = f"{':'.join((fitted.experiment.name, *fitted.part.words))}: predicting {what}"
    if len(sets) > 1:
        return f"{title} with {len(sets)} sets of views"
    return title if sets[0] == "none" else f"{title} with {sets[0]}"
