"""What `tk tune` works with: the out-of-fold predictions, their truth, the metric, and the steps to search."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from toolkit.commands.scoring.out_of_fold import OutOfFold
from toolkit.commands.scoring.scores import read_optimism
from toolkit.config.data.data import DataConfig
from toolkit.config.metrics import parse_metric_text
from toolkit.core.metrics.metric import Metric
from toolkit.core.metrics.registry import MetricSpec
from toolkit.core.recipe.postprocess import Step
from toolkit.core.tuning.task import STEPS, RecipeTask
from toolkit.errors import ChangedError, ConfigError, not_valid
from toolkit.files.datasets.truth import Truth, truth_of
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.folds_csv import FoldTable, folds_digest, read_fold_table
from toolkit.files.experiment.resolved import Resolved, data_of, read_resolved
from toolkit.files.experiment.score_json import StoredScore, known_score
from toolkit.files.experiment.trained import tell_untrained
from toolkit.files.predictions.store import ProbabilityStore
from toolkit.learning.plugins import Plugins
from toolkit.messages import Progress


@dataclass(frozen=True, eq=False)
class TuningJob:
    """An experiment or ensemble whose recipe is searched.

    Attributes:
        experiment: the experiment.
        resolved: what it was made from.
        everything: the truth of all labelled images.
        truth: that of the out-of-fold images.
        table: the folds.
        store: the out-of-fold predictions.
        spec: the metric that is reported; searches may use a faster one.
        task: the search.
        steps: what is searched.
        plugins: the user's code.
        scores: score.json; None if there is none.
        progress: shows the work.
    """

    experiment: Experiment
    resolved: Resolved
    everything: Truth
    truth: Truth
    table: FoldTable
    store: ProbabilityStore
    spec: MetricSpec
    task: RecipeTask
    steps: tuple[str, ...]
    plugins: Plugins
    scores: StoredScore | None
    progress: Progress

    @property
    def optimism(self) -> float:
        """How much too good scores by the searched metric are, because epochs were chosen on the same images."""
        return read_optimism(self.scores, self.task.metric.label)


def prepare(experiment: Experiment, progress: Progress, *, metric: str | None, steps: str | None) -> TuningJob:
    """Read what the search needs; the arguments and errors are those of `tune`."""
    resolved = read_resolved(experiment)
    everything = truth_of(experiment, resolved)
    store = ProbabilityStore(experiment.predictions("oof"))
    table = _fold_table(experiment, resolved, everything).predicted(store.ids)
    tell_untrained(experiment, resolved.config, progress, "score")
    truth = everything.only(table.out_of_fold.ids)
    plugins = Plugins.of(experiment, progress)
    spec = truth.metric if metric is None else parse_metric_text(metric, "--metric", plugins)
    searched, why = replace(truth, metric=spec).for_searches(plugins)
    if why:
        progress.say(f"{spec.label} {why}: tuning by {searched.metric.label} instead")
    built = searched.build_metric(plugins)
    task = _task(experiment, resolved, truth, store, table=table, metric=built, progress=progress)
    wanted = task.usual_steps()
    if steps is not None:
        wanted = _named_steps(steps, plugins)
        task = replace(task, plugins=plugins)
    scores = known_score(experiment)
    return TuningJob(
        experiment, resolved, everything, truth, table, store, spec, task, wanted, plugins, scores, progress
    )


def _fold_table(experiment: Experiment, resolved: Resolved, truth: Truth) -> FoldTable:
    """The folds of the experiment.

    Raises:
        ChangedError: folds.csv has changed since training.
    """
    table = read_fold_table(experiment.folds, truth.labelled.images.ids)
    if folds_digest(table.folds) != resolved.digests.get("folds"):
        raise ChangedError(
            f"{experiment.folds} has changed since training, so the nested score would not be honest",
            f"Restore the file, or train again: tk fit {experiment.name} --restart",
        )
    return table


def _task(
    experiment: Experiment,
    resolved: Resolved,
    truth: Truth,
    store: ProbabilityStore,
    *,
    table: FoldTable,
    metric: Metric,
    progress: Progress,
) -> RecipeTask:
    """The out-of-fold images, their groups, their parts for nested scores, and the metric.

    Raises:
        ChangedError: the number of classes has changed since the predictions were made.
    """
    planes, classes = store.read(store.ids[0]).shape[2], truth.classes
    if planes != classes.count:
        raise ChangedError(
            f"{store.folder} predicts {planes} classes, but {experiment.name} has {classes.count}",
            f"Make new predictions: tk fit {experiment.name} --restart",
        )
    return RecipeTask(
        OutOfFold(store, truth.labelled, with_objects=metric.needs_objects, progress=progress).examples,
        table.parts("tk tune"),
        classes.count,
        classes.activation,
        metric,
        in_bytes=store.stored_type == "uint8",
        has_presence=store.presence(store.ids[0]) is not None,
        seed=int(resolved.config.get("seed", 0)),
        groups=table.out_of_fold.group_numbers,
        test_images=_test_images(experiment, data_of(experiment, resolved)),
    )


def _named_steps(text: str, plugins: Mapping[str, Step]) -> tuple[str, ...]:
    """The steps that `--steps` names; plugins among them are loaded, so that broken code is reported before the search.

    Raises:
        ConfigError: there is no such step, or its code fails when it is run.
    """
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    unknown = [name for name in names if name not in STEPS]
    allowed = [*STEPS, *plugins]
    for name in unknown:
        if name not in plugins:
            raise ConfigError(f"--steps: {not_valid(name, allowed)}")
    if not names:
        raise ConfigError(f"--steps: no step is named; choose from {', '.join(allowed)}")
    for name in unknown:
        plugins[name]
    return names


def _test_images(experiment: Experiment, data: DataConfig) -> tuple[int, ...]:
    """The number of test images, and of those that the public leaderboard scores, as far as they are known."""
    folder = experiment.predictions("test")
    if not folder.is_dir():
        return ()
    images = len(ProbabilityStore(folder).ids)
    share = None if data.competition is None else data.competition.public_share
    return (images,) if share is None else (images, max(1, round(share * images)))
