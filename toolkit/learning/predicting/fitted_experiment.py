"""An experiment whose folds are trained, with everything that predicting needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from toolkit.config.members import WHOLE, MemberPart
from toolkit.config.models import Config
from toolkit.config.training.execution import EngineChoice, EngineName
from toolkit.core.arrays import Integers
from toolkit.core.images.tiles import UNTILED
from toolkit.core.images.views import parse_views, views_name
from toolkit.files.data.sources import Images
from toolkit.files.datasets.dataset import find_labelled
from toolkit.files.disk.digests import digest, file_digest
from toolkit.files.experiment.folder import Experiment, Split
from toolkit.files.experiment.folds_csv import folds_digest, read_folds
from toolkit.files.experiment.members import Member, weights_of
from toolkit.files.experiment.resolved import Resolved, config_of, read_resolved, refuse_changed_code
from toolkit.files.experiment.trained import trained_folds
from toolkit.files.predictions.store import is_made_from
from toolkit.learning.plugins import Plugins
from toolkit.learning.predicting.engine_choice import unfit
from toolkit.messages import Progress

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

    def missing(self, split: Split, sets: Sequence[str]) -> list[str]:
        """The names of the sets of views whose stores are missing or stale, each once."""
        names = dict.fromkeys(views_name(parse_views(text)) for text in sets)
        # Once, because it reads all weight files.
        valid = [self.made_from(split, "none", engine) for engine in self.engines()]
        return [
            name
            for name in names
            if not any(is_made_from(self.predictions(split, name), one | {"views": name}) for one in valid)
        ]


def find_fitted_experiment(member: Member, progress: Progress) -> tuple[FittedExperiment, Images]:
    """An experiment, or a part of one, as its folder describes it, and its labelled images; nothing is decoded.

    Raises:
        ChangedError: the user's code has changed since the fit.
        FoldsError: the images are others than those that it was fitted to.
        MissingFileError, DataError: images or masks are not found.
    """
    experiment = member.experiment
    resolved = read_resolved(experiment)
    config = config_of(experiment, resolved)
    refuse_changed_code(experiment, config, resolved)
    images = find_labelled(config).images
    if member.part.stage is not None:  # sizes and batches are those of the stage
        config = config.model_copy(update={"stages": config.stages[: member.part.stage + 1]})
    folds = read_folds(experiment.folds, images.ids)
    plugins = Plugins.of(experiment, progress)
    return FittedExperiment(experiment, config, resolved, images.ids, folds, plugins, member.part), images
