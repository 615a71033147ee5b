"""The first rung of training: all folds of an experiment, one after the other."""

from collections.abc import Sequence
from dataclasses import dataclass

from toolkit.config.stage_values import Stage
from toolkit.files.datasets.training_pool import Pool
from toolkit.files.experiment.folder import Experiment
from toolkit.learning.runtime import Precision, configure
from toolkit.learning.training.epoch_data import NEVER, Deadline, Run, prepare_training_data
from toolkit.learning.training.fold import train_fold
from toolkit.learning.training.plan import Plan
from toolkit.learning.training.shared_network import SharedNetwork
from toolkit.messages import Progress


@dataclass(frozen=True)
class Work:
    """Numbers of the folds and stages to train, and the time by which training stops."""

    folds: Sequence[int]
    stages: Sequence[int]
    deadline: Deadline = NEVER


def fit_folds(
    experiment: Experiment, plan: Plan, pool: Pool, work: Work, *, precision: Precision, progress: Progress
) -> None:
    """Train folds; finished ones are skipped, and an interrupted one continues after its last finished epoch.

    Raises:
        OutOfTimeError: the deadline is over; finished epochs are kept.
    """
    config = plan.config
    wanted = [plan.stages[number] for number in work.stages]
    runs = [Run(fold, repeat, config.seed + repeat) for fold in work.folds for repeat in range(config.num_seeds)]
    unfinished = [run for run in runs if not _is_finished(experiment, run, wanted)]
    if not unfinished:
        return
    configure(precision)
    data = prepare_training_data(experiment, plan, pool, progress, work.deadline)
    for note in plan.notes:
        progress.say(note)
    shared = SharedNetwork(config, plan.plugins)
    epochs = sum(stage.epochs for stage in wanted)
    what = "1 fold" if len(runs) == 1 else f"{len(runs)} folds"
    with progress.task(f"{experiment.name}: {what}", epochs * len(runs)) as task:
        for run in runs:
            if run in unfinished:
                train_fold(shared, data, run, work.stages, progress=progress, overall=task)
            else:
                progress.say(f"{run.title} is already finished")
                task.advance(epochs)


def _is_finished(experiment: Experiment, run: Run, stages: Sequence[Stage]) -> bool:
    return all(experiment.stage(run.fold, stage.number, run.repeat).is_complete() for stage in stages)
