"""The first rung of training: all folds of an experiment, one after the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from toolkit.config.models import Config
from toolkit.config.stage_values import Stage
from toolkit.files.datasets.training_pool import Pool
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.trained import trained_folds
from toolkit.learning.reading.worker_count import worker_count
from toolkit.learning.runtime import Precision, configure, has_gpu
from toolkit.learning.training.epoch_data import NEVER, Deadline, Run, prepare_training_data
from toolkit.learning.training.fold import train_fold
from toolkit.learning.training.plan import Plan
from toolkit.learning.training.shared_network import SharedNetwork
from toolkit.messages import Progress


@dataclass(frozen=True)
class Work:
    """Numbers of the folds and stages to train, and the time by which training stops.

    `repeats` has the numbers of the seeds; None for all. `after_epoch` is called when the files of an epoch are
    written; what it raises ends the training, and finished epochs are kept.
    """

    folds: Sequence[int]
    stages: Sequence[int]
    deadline: Deadline = NEVER
    repeats: Sequence[int] | None = None
    after_epoch: Callable[[], None] | None = None


def fit_folds(
    experiment: Experiment,
    plan: Plan,
    pool: Pool,
    work: Work,
    *,
    precision: Precision,
    progress: Progress,
    after_fold: Callable[[int], None] = lambda fold: None,
) -> None:
    """Train folds; finished ones are skipped, and an interrupted one continues after its last finished epoch.

    Args:
        experiment: the experiment.
        plan: how it trains.
        pool: the images.
        work: what to train.
        precision: of the arithmetic.
        progress: shows the work.
        after_fold: is called with the number of each fold when all its stages and seeds are finished.

    Raises:
        OutOfTimeError: the deadline is over; finished epochs are kept.
    """
    config = plan.config
    wanted = [plan.stages[number] for number in work.stages]
    repeats = range(config.num_seeds) if work.repeats is None else work.repeats
    runs = [Run(fold, repeat, config.seed + repeat) for fold in work.folds for repeat in repeats]
    unfinished = [run for run in runs if not _is_finished(experiment, run, wanted)]
    if not unfinished:
        for fold in work.folds:
            _tell(experiment, config, fold, after_fold)
        return
    configure(precision)
    data = prepare_training_data(experiment, plan, pool, progress, work.deadline)
    if work.after_epoch is not None:
        data = replace(data, after_epoch=work.after_epoch)
    for note in plan.notes:
        progress.say(note)
    epochs = sum(stage.epochs for stage in wanted)
    what = "1 fold" if len(runs) == 1 else f"{len(runs)} folds"
    with (
        data.read_by_processes(worker_count(config.workers, has_gpu=has_gpu()), progress) as data,
        progress.task(f"{experiment.name}: {what}", epochs * len(runs)) as task,
    ):
        shared = SharedNetwork(config, plan.plugins)
        for run in runs:
            if run in unfinished:
                train_fold(shared, data, run, work.stages, progress=progress, overall=task)
            else:
                progress.say(f"{run.title} is already finished")
                task.advance(epochs)
            if run.repeat == config.num_seeds - 1:
                _tell(experiment, config, run.fold, after_fold)
                configure(precision)  # networks may have been used for something else in between


def _tell(experiment: Experiment, config: Config, fold: int, after_fold: Callable[[int], None]) -> None:
    if fold in trained_folds(experiment, folds=config.folds_count, stages=len(config.stages), seeds=config.num_seeds):
        after_fold(fold)


def _is_finished(experiment: Experiment, run: Run, stages: Sequence[Stage]) -> bool:
    return all(experiment.stage(run.fold, stage.number, run.repeat).is_complete() for stage in stages)
