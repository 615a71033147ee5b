"""`tk lr-find`: the loss over rising learning rates, and a suggestion."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from toolkit.commands.session import Session
from toolkit.commands.training.folds.fold_plan import find_folds
from toolkit.commands.training.pseudo_labels import find_pseudo_labels
from toolkit.commands.training.settings import load_as_run
from toolkit.config.loading import Loaded
from toolkit.config.models import Config
from toolkit.config.stage_values import read_stage, stage_key
from toolkit.config.training.schedules import CyclicLR
from toolkit.config.yaml.plugin_names import names_defined_beside
from toolkit.core.arrays import Integers
from toolkit.core.trials.lr_range_test import FlatCurveError, geometric_rates, suggest
from toolkit.errors import ConfigError, NotReadyError, TrainingError, out_of_range
from toolkit.files.datasets.dataset import Dataset, find_dataset
from toolkit.files.disk.tables import format_table
from toolkit.files.disk.writing import write_text
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.initial_weights import check_initial_weights, refuse_fold_weights
from toolkit.files.experiment.members import refuse_ensemble
from toolkit.messages import Table
from toolkit.report.result import Result


@dataclass(frozen=True)
class LrFindOptions:
    """The range of learning rates, the number of batches, and the fold and stage whose settings are used."""

    low: float = 1e-7
    high: float = 1.0
    steps: int = 120
    fold: int = 0
    stage: int = 0


@dataclass(frozen=True)
class LrFindResult(Result):
    """The suggested learning rate, and the key to set.

    `key` is the key of the stage's lr; `setter` is the schedule that ignores it, if there is one. Without a suggestion
    `flat` says why. If the experiment has results, which another lr does not fit, `other` is a free
    name for another one.
    """

    experiment: str
    suggestion: float | None
    steepest: float | None
    lowest: float | None
    diverged_at: float | None
    picture: str
    stage: int
    key: str
    setter: str | None
    flat: str = ""
    other: str = ""

    def tables(self) -> list[Table]:
        """The learning rates of the curve."""
        rows = [
            ("suggested", _rate_text(self.suggestion, "none")),
            ("steepest loss", _rate_text(self.steepest)),
            ("lowest loss", _rate_text(self.lowest)),
            ("diverged at", _rate_text(self.diverged_at, "never")),
        ]
        return [Table(f"{self.experiment}: learning rates, stage {self.stage}", ("", "lr"), rows)]

    def next_steps(self) -> list[str]:
        """The curve, and the next command."""
        if self.suggestion is None:
            return [f"curve: {self.picture}", f"no suggestion: {self.flat}"]
        rate = f"{self.suggestion:.1e}"
        following = f"tk fit {self.experiment} --set {self.key}={rate}"
        if self.other:  # the results fit only the lr that they were trained with
            following = f"tk new {self.other} --extends {self.experiment} --set {self.key}={rate}"
        if self.setter is not None:
            following = f"{self.setter} sets the learning rate of stage {self.stage} and ignores lr: write {rate} there"
        return [f"curve: {self.picture}", f"next: {following}"]


def find_learning_rate(
    session: Session, name: str, *, overrides: Sequence[str] = (), options: LrFindOptions = LrFindOptions()
) -> LrFindResult:
    """Train with a learning rate that rises from batch to batch, from the weights that the stage starts from.

    The trained weights are discarded.

    Raises:
        ToolkitError: the configuration, the data or an option is not valid.
        NotReadyError: the stage starts from weights that do not exist yet.
        TrainingError: the curve shows no usable learning rate.
    """
    experiment, progress = session.workspace.find(name), session.progress
    fold, stage = options.fold, options.stage
    refuse_ensemble(experiment, "learning rate")
    loaded = load_as_run(session, experiment, overrides)
    config = loaded.config
    for option, what, number, count in (
        ("--folds", "fold", fold, config.folds_count),
        ("--stage", "stage", stage, len(config.stages)),
    ):
        if not 0 <= number < count:
            raise ConfigError(f"{option}: {out_of_range(what, number, count)}")
    try:
        rates = geometric_rates(options.low, options.high, options.steps)
    except ValueError as error:
        raise ConfigError(f"--low, --high, --steps: {error}") from error
    with experiment.locked():
        with loaded.naming_places():
            dataset = find_dataset(config, progress, experiment.cache)
        folds = find_folds(experiment, config, dataset, progress).folds
        pseudo = find_pseudo_labels(experiment, loaded, dataset, folds, progress)
        _refuse_start(experiment, loaded, dataset, folds, fold=fold, stage=stage)
        # TensorFlow is slow to import, so bad input is reported first.
        from toolkit.learning.plugins import Plugins
        from toolkit.learning.runtime import choose_precision
        from toolkit.learning.training.plan import plan_training
        from toolkit.learning.trials.lr_range_test import RangeTest, loss_by_learning_rate
        from toolkit.report.plots.lr_curve import learning_rate_curve

        plan = plan_training(loaded, Plugins.of(experiment, progress))
        losses = loss_by_learning_rate(
            experiment,
            plan,
            replace(dataset.pool(folds), pseudo=pseudo.pools),
            RangeTest(fold, stage, rates),
            precision=choose_precision(config.precision),
            progress=progress,
        )
        tried = rates[: len(losses)]
        write_text(experiment.lr_find_table, format_table(("lr", "loss"), list(zip(tried, losses, strict=True))))
        suggestion, flat = None, ""
        try:
            suggestion = suggest(tried, losses)
        except FlatCurveError as error:
            flat = str(error)
        except ValueError as error:
            learning_rate_curve(experiment.lr_find_curve, tried, losses, None)
            raise TrainingError(
                f"{experiment.name}: no learning rate can be suggested: {error}",
                f"The losses are in {experiment.lr_find_table} and {experiment.lr_find_curve}. "
                "Try another range: --low, --high, --steps.",
            ) from error
        learning_rate_curve(experiment.lr_find_curve, tried, losses, suggestion)
    return LrFindResult(
        experiment.name,
        None if suggestion is None else suggestion.rate,
        None if suggestion is None else suggestion.steepest,
        None if suggestion is None else suggestion.lowest,
        None if suggestion is None else suggestion.diverged_at,
        str(experiment.lr_find_curve),
        stage,
        _key(config, stage),
        _setter(config, stage, names_defined_beside(experiment.config)),
        flat,
        session.workspace.free_name(f"{experiment.name}-lr") if experiment.has_training() else "",
    )


def _rate_text(rate: float | None, missing: str = "–") -> str:
    return missing if rate is None else f"{rate:.2e}"


def _refuse_start(
    experiment: Experiment, loaded: Loaded[Config], dataset: Dataset, folds: Integers, *, fold: int, stage: int
) -> None:
    """Refuse to start from weights that do not exist or were trained on images that the fold holds out."""
    config = loaded.config
    if isinstance(config.encoder_weights, Path):
        refuse_fold_weights(config.encoder_weights, loaded.where("encoder_weights"))
    given = config.stages[stage].initial_weights
    if given is not None:
        check_initial_weights(
            experiment,
            given,
            loaded.where("stages", stage, "initial_weights"),
            ids=dataset.index.ids,
            folds=folds,
            wanted=[fold],
            num_seeds=1,
        )
    elif stage and not experiment.stage(fold, stage - 1).is_complete():
        raise NotReadyError(
            f"fold {fold}: stage {stage} starts from the best weights of stage {stage - 1}, which is not finished",
            f"Run first: tk fit {experiment.name} --folds {fold} --stages {','.join(map(str, range(stage)))}",
        )


def _key(config: Config, stage: int) -> str:
    """The key of a stage's lr; later stages get their own, because earlier ones may already be trained."""
    return f"stages.{stage}.lr" if stage else ".".join(map(str, stage_key(config.stages[0], 0, "lr")))


def _setter(config: Config, stage: int, plugins: Collection[str]) -> str | None:
    """The key of a CyclicLR, which sets the learning rate itself instead of scaling lr; None if there is none."""
    if not any(isinstance(leg, CyclicLR) for leg in read_stage(config, stage, plugins).schedule.legs):
        return None
    return f"CyclicLR at {'.'.join(map(str, stage_key(config.stages[stage], stage, 'schedule')))}"
