"""Training one fold: its stages in order, each from the best weights of the one before."""

from collections.abc import Collection, Sequence

from toolkit.config.resolved_stage import Stage
from toolkit.errors import NotReadyError
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.initial_weights import initial_weights_path
from toolkit.learning.training.epoch_data import Run, TrainingData
from toolkit.learning.training.stage import StageRun
from toolkit.learning.training.trainer import Trainer
from toolkit.messages import Progress, Task


def train_fold(
    trainer: Trainer,
    experiment: Experiment,
    stages: Sequence[Stage],
    data: TrainingData,
    run: Run,
    *,
    only: Collection[int],
    progress: Progress,
    overall: Task,
) -> None:
    """Train stages of one fold; `overall` advances by one with each epoch.

    Finished stages are not repeated, and a broken one goes on after its last finished epoch.

    Args:
        trainer: the network.
        experiment, stages, data, run: what is trained, and with what.
        only: numbers of the stages to train; those before have to be finished.
        progress, overall: told of the work.

    Raises:
        NotReadyError: a stage before those to train is not finished.
    """
    trainer.begin_fold(run.fold, run.seed)
    for stage in stages[: max(only) + 1]:
        folder = experiment.stage(run.fold, stage.number, run.repeat)
        if folder.is_complete():
            overall.advance(stage.epochs if stage.number in only else 0)
        elif stage.number not in only:
            raise NotReadyError(
                f"{run.title}: stage {stage.number} is not finished, and stage {max(only)} starts from its weights",
                f"Run first: tk fit {experiment.name} --folds {run.fold} --stages {stage.number}",
            )
        else:
            take_initial_weights(trainer, experiment, stage, run, progress)
            StageRun(trainer, stage, data, run, folder).run(progress, overall)
        trainer.use_shape(stage.shape)
        trainer.network.load_weights(folder.best_weights)


def take_initial_weights(trainer: Trainer, experiment: Experiment, stage: Stage, run: Run, progress: Progress) -> None:
    """Give the network the `initial_weights` of a stage, if it has any, and say so."""
    path = initial_weights_path(experiment, stage.initial_weights, run.fold, run.repeat)
    if path is not None:
        trainer.use_shape(stage.shape)
        note = trainer.network.load_initial_weights(path)
        progress.say(f"{run.title} · stage {stage.number} starts from {path}: {note}")
