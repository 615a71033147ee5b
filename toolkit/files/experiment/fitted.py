"""What predicts new images: an experiment's networks or a weighted mean of members, found without TensorFlow."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from toolkit.config.models import Config
from toolkit.config.training.execution import EngineName, ExecutionConfig
from toolkit.core.ensembling.means import Mean
from toolkit.core.masks.labels import Classes
from toolkit.core.recipe.probabilities import StoredType
from toolkit.errors import ConfigError, NotReadyError, out_of_range
from toolkit.files.disk.digests import digest, file_digest
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.members import Member, members_of, refuse_ensemble, weights_of
from toolkit.files.experiment.resolved import config_of, digests_of_code, read_resolved, refuse_changed_code
from toolkit.files.experiment.trained import trained_folds
from toolkit.files.predictions.store import engines_of

_WITHOUT_INFLUENCE = {"data", "pseudo", "encoder_weights", "validate_every", *ExecutionConfig.model_fields}
"""Keys that say how weights came about or how they are computed; what counts of these is recorded beside them."""


@dataclass(frozen=True)
class Networks:
    """Networks of one experiment, one per weight file; their mean over a set of views is the prediction.

    `folds` are the numbers of the folds that they belong to. `engine` computes them.
    """

    experiment: Experiment
    config: Config
    precision: str
    weights: tuple[Path, ...]
    views: str
    folds: tuple[int, ...] = ()
    engine: EngineName = "tensorflow"

    @property
    def count(self) -> int:
        """The number of networks."""
        return len(self.weights)

    @property
    def is_mean_of_folds(self) -> bool:
        """Whether a prediction is the mean of several folds."""
        return len(self.folds) > 1

    @property
    def stored_type(self) -> StoredType:
        """How probabilities of the experiment are stored."""
        return self.config.stored_probability

    def leaves(self) -> Iterator["Networks"]:
        """This one alone."""
        yield self

    def made_from(self) -> dict[str, Any]:
        """What identifies predictions of these networks; reads all weight files."""
        settings = self.config.model_dump(exclude=_WITHOUT_INFLUENCE)
        return {
            "experiment": self.experiment.name,
            "weights": [file_digest(path) for path in self.weights],
            "config": digest(repr(settings).encode()),
            "precision": self.precision,
            "views": self.views,
            **({} if self.engine == "tensorflow" else {"engine": self.engine}),
            **digests_of_code(self.experiment, self.config),
        }


@dataclass(frozen=True)
class FittedEnsemble:
    """A weighted mean of members."""

    experiment: Experiment
    members: tuple["Networks | FittedEnsemble", ...]
    weights: tuple[float, ...]
    mean: Mean

    @property
    def count(self) -> int:
        """The number of networks."""
        return sum(member.count for member in self.members)

    @property
    def is_mean_of_folds(self) -> bool:
        """Always: the members predict as they predict test images."""
        return True

    @property
    def stored_type(self) -> StoredType:
        """How probabilities of the ensemble are stored: `float16` if those of any member are."""
        return "float16" if any(member.stored_type == "float16" for member in self.members) else "uint8"

    def leaves(self) -> Iterator[Networks]:
        """The networks of all experiments, member by member."""
        for member in self.members:
            yield from member.leaves()

    def made_from(self) -> dict[str, Any]:
        """What identifies predictions of the ensemble; reads all weight files."""
        return {
            "experiment": self.experiment.name,
            "members": [member.made_from() for member in self.members],
            "weights": list(self.weights),
            "mean": self.mean,
        }


Fitted = Networks | FittedEnsemble


def classes_of(fitted: Fitted) -> Classes:
    """The classes that are predicted."""
    return next(fitted.leaves()).config.task_classes


def first_networks(fitted: Fitted) -> Networks:
    """The networks of the first experiment; images are read in the way that these expect.

    Raises:
        ConfigError: the members of an ensemble expect different numbers of channels, or different neighbours.
    """
    found = list(fitted.leaves())
    channels = {networks.config.shape[2] for networks in found}
    if len(channels) > 1:
        listed = ", ".join(map(str, sorted(channels)))
        raise ConfigError(
            f"the members expect images with different numbers of channels ({listed})",
            "Predict with each member, or with an ensemble whose members expect the same number of channels.",
        )
    neighbours = [networks.config.data.neighbours for networks in found]
    if len({repr(one and one.model_dump(exclude={"edges", "gaps"})) for one in neighbours}) > 1:
        raise ConfigError(
            "the members expect images with different neighbouring slices (data.neighbours)",
            "Predict with each member, or with an ensemble whose members have the same data.neighbours.",
        )
    return found[0]


def find_fitted(
    member: Member, *, folds: Sequence[int] | None = None, stage: int | None = None, views: str | None = None
) -> Fitted:
    """Find what predicts, and check that it is complete.

    Args:
        member: an experiment, an ensemble, or a part of an experiment.
        folds: whose networks predict; None for all folds.
        stage: whose best weights predict; None for the last stage.
        views: the name of a set of views; None for the views of the ensemble, and no further views for an experiment.

    Raises:
        ConfigError: a fold or stage does not exist, or is given for an ensemble.
        NotReadyError: weights are missing.
        ChangedError: the user's code has changed since the fit.
    """
    if not member.is_ensemble:
        return _networks(member, folds, stage, views or "none")
    if folds is not None or stage is not None:
        refuse_ensemble(member.experiment, "folds or stages", "--folds, --stage: ")
    inner, config = members_of(member.experiment)
    given = views if views is not None else config.views if config.views != "none" else None
    chosen = [(one, weight) for one, weight in zip(inner, config.weights, strict=True) if weight]
    return FittedEnsemble(
        member.experiment,
        tuple(find_fitted(one, views=given) for one, _ in chosen),
        tuple(weight for _, weight in chosen),
        config.mean,
    )


def _networks(member: Member, folds: Sequence[int] | None, stage: int | None, views: str) -> Networks:
    experiment, part = member.experiment, member.part
    resolved = read_resolved(experiment)
    config = config_of(experiment, resolved)
    refuse_changed_code(experiment, config, resolved)
    options = (("--folds", "fold", folds, part.fold), ("--stage", "stage", stage, part.stage))
    for option, what, asked, named in options:
        if asked is not None and named is not None:
            raise ConfigError(f"{option}: {member.name} already names a {what}", f"Remove {option}.")
    part = part if stage is None else replace(part, stage=stage)
    numbers = list(range(config.folds_count)) if part.fold is None else [part.fold]
    stages = len(config.stages) if part.stage is None else part.stage + 1
    trained = trained_folds(experiment, folds=config.folds_count, stages=stages, seeds=config.num_seeds)
    wanted = [fold for fold in numbers if fold in trained] or numbers
    if folds is not None:
        wanted = list(dict.fromkeys(folds))
    wrong = [fold for fold in wanted if fold not in numbers]
    if not wanted:
        raise ConfigError("--folds: no fold is given")
    if wrong:
        raise ConfigError(f"--folds: {experiment.name}: {out_of_range('fold', wrong[0], config.folds_count)}")
    last = len(config.stages) - 1 if part.stage is None else part.stage
    if not 0 <= last < len(config.stages):
        raise ConfigError(f"--stage: {experiment.name}: {out_of_range('stage', last, len(config.stages))}")
    _refuse_untrained(experiment, wanted, trained, last)
    # Image sizes and batch sizes are those of the last stage in the configuration.
    config = config.model_copy(update={"stages": config.stages[: last + 1]})
    counts = {"stages": len(config.stages), "seeds": config.num_seeds}
    weights = [path for fold in wanted for path in weights_of(experiment, part, fold, **counts)]
    engine = _engine_of(experiment, config)
    return Networks(experiment, config, resolved.precision, tuple(weights), views, tuple(wanted), engine)


def _engine_of(experiment: Experiment, config: Config) -> EngineName:
    """The engine that is asked for; by default that of the out-of-fold predictions, which recipes are tuned on."""
    wanted = experiment.engine or config.engine
    if wanted != "auto":
        return wanted
    return "openvino" if engines_of(experiment.predictions("oof")) == {"openvino"} else "tensorflow"


def _refuse_untrained(experiment: Experiment, wanted: Sequence[int], trained: Sequence[int], stage: int) -> None:
    missing = [fold for fold in wanted if fold not in trained]
    if not missing:
        return
    instead = f", or predict with the trained folds: --folds {','.join(map(str, trained))}" if trained else ""
    raise NotReadyError(
        f"{experiment.name}: stage {stage} of fold {', '.join(map(str, missing))} is not trained yet, or its weights "
        "are missing",
        f"Run: tk fit {experiment.name}{instead}",
    )
