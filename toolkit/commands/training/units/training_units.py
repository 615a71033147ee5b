"""Training as units for a cluster: one for each stage of each fold and seed."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from toolkit.cluster.units import Machines, Unit
from toolkit.commands.training.made_from import code_and_weights
from toolkit.commands.training.units.training_job import TrainingJob, find_job
from toolkit.errors import ChangedError, ClusterError, ConfigError
from toolkit.files.experiment.folds_csv import folds_digest
from toolkit.files.experiment.resolved import load_experiment, read_resolved
from toolkit.files.experiment.workspace import Workspace
from toolkit.messages import Progress, Silent, Task


def train_on(
    machines: Machines,
    job: TrainingJob,
    folds: Sequence[int],
    stages: Sequence[int],
    *,
    max_seconds: float | None,
    progress: Progress,
) -> None:
    """Let machines train what is not finished; see `training_units`.

    Raises:
        ClusterError: some stages are not finished.
    """
    units = training_units(job, folds, stages, max_seconds)
    machines.run(job.experiment, units, job.loaded.config.task_resources, progress)
    left = training_units(job, folds, stages, None)
    if left:
        raise ClusterError(
            f"{left[0].name} of {job.experiment.name} is not finished, although its task ended",
            f"Its log is in {job.experiment.tasks}. To go on, run the same command again.",
        )


def training_units(
    job: TrainingJob, folds: Sequence[int], stages: Sequence[int], max_seconds: float | None
) -> list[Unit]:
    """The stages that are not finished, each after the one before it, which must end within so many seconds.

    Raises:
        ConfigError: the dataset was given in Python, where other machines cannot get it from.
    """
    config, units = job.loaded.config, []
    if config.data.is_given:
        raise ConfigError(
            "a dataset that was given in Python is not there on other machines",
            "Name files in data of config.yaml, or train on this machine.",
        )
    until = None if max_seconds is None else time.time() + max_seconds
    for fold in folds:
        for repeat in range(config.num_seeds):
            before: tuple[str, ...] = ()
            for stage in stages:
                if job.experiment.stage(fold, stage, repeat).is_complete():
                    continue
                name = unit_name(fold, repeat, stage)
                arguments = {"fold": fold, "repeat": repeat, "stage": stage, "until": until}
                own = [job.experiment.stage(fold, number, repeat).folder for number in range(stage + 1)]
                reads = tuple(folder.relative_to(job.experiment.folder).as_posix() for folder in own)
                units.append(Unit(name, train_unit, arguments, config.stages[stage].epochs, before, reads))
                before = (name,)
    return units


def unit_name(fold: int, repeat: int, stage: int) -> str:
    """`fold 0 · stage 1`, or `fold 0 · seed 1 · stage 1` for a further seed."""
    return f"fold {fold}" + (f" · seed {repeat}" if repeat else "") + f" · stage {stage}"


def train_unit(workspace: Workspace, progress: Progress, arguments: Mapping[str, Any]) -> None:
    """Train one stage of one fold and seed.

    Raises:
        ChangedError: this machine finds other data, code or weights than the one that began the experiment.
        ToolkitError: as `tk fit` on one machine.
    """
    experiment = workspace.find(arguments["experiment"])
    resolved = read_resolved(experiment)
    loaded = load_experiment(experiment, settings=resolved.settings)
    job = find_job(experiment, loaded, _Tasks(progress))
    folds = job.table.folds
    digests = job.dataset.digests | {"folds": folds_digest(folds)} | code_and_weights(job, Silent())
    known = resolved.digests
    differing = sorted(name for name in {*digests, *known} if digests.get(name) != known.get(name))
    if differing:
        raise ChangedError(
            f"this node finds other data or code for {experiment.name} than the machine that began it: "
            f"{', '.join(differing)}",
            "Let all nodes see the same files, or run the command again.",
        )
    from toolkit.learning.plugins import Plugins
    from toolkit.learning.runtime import parse_precision
    from toolkit.learning.training.epoch_data import Deadline
    from toolkit.learning.training.fit import Work, fit_folds
    from toolkit.learning.training.plan import plan_training

    plan = plan_training(loaded, Plugins.of(experiment, progress))
    until = arguments["until"]
    deadline = Deadline.after(None if until is None else until - time.time())
    work = Work([arguments["fold"]], [arguments["stage"]], deadline, [arguments["repeat"]])
    fit_folds(experiment, plan, job.pool(), work, precision=parse_precision(resolved.precision), progress=progress)


class _Tasks:
    """A progress that shows tasks; what it would say was said where the command was typed."""

    def __init__(self, shown: Progress) -> None:
        self._shown = shown

    def say(self, message: str) -> None:
        """Show nothing."""

    def warn(self, message: str) -> None:
        """Show nothing."""

    @contextmanager
    def task(self, title: str, total: int) -> Iterator[Task]:
        """Open a task."""
        with self._shown.task(title, total) as task:
            yield task
