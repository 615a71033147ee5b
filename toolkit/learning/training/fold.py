"""The second rung of training: the stages of one fold, each from the best weights of the stage before."""

from collections.abc import Collection

from toolkit.config.stage_values import Stage
from toolkit.errors import NotReadyError
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.initial_weights import initial_weights_path
from toolkit.learning.training.epoch_data import Run, TrainingData
from toolkit.learning.training.shared_network import SharedNetwork
from toolkit.learning.training.stage import train_stage
from toolkit.messages import Progress, Task, phase


def train_fold(
    shared: SharedNetwork, data: TrainingData, run: Run, wanted: Collection[int], *, progress: Progress, overall: Task
) -> None:
    """Train stages of one fold; finished ones are skipped.

    Args:
        shared: the network.
        data: what the folds share.
        run: the fold, and the seed of this training.
        wanted: numbers of the stages to train; all stages before them must be finished.
        progress: shows the work of each stage.
        overall: advances by one with each epoch.

    Raises:
        NotReadyError: a stage before those to train is not finished.
        TrainingError, OutOfTimeError: see `train_stage`.
    """
    experiment = data.experiment
    with phase(progress, "building networks"):
        shared.begin_fold(run.fold, run.seed)
    for stage in data.plan.stages[: max(wanted) + 1]:
        folder = experiment.stage(run.fold, stage.number, run.repeat)
        if folder.is_complete():
            overall.advance(stage.epochs if stage.number in wanted else 0)
        elif stage.number not in wanted:
            raise NotReadyError(
                f"{run.title}: stage {stage.number} is not finished, and stage {max(wanted)} starts from its weights",
                f"Run first: tk fit {experiment.name} --folds {run.fold} --stages {stage.number}",
            )
        else:
            take_initial_weights(shared, experiment, stage, run, progress)
            _tell_class_weights(data, stage, run, progress)
            train_stage(shared, stage, data, run, progress=progress, overall=overall)
        shared.use_shape(stage.shape)
        shared.network.load_weights(folder.best_weights)


def _tell_class_weights(data: TrainingData, stage: Stage, run: Run, progress: Progress) -> None:
    """Report the weights of the classes that follow from the fold's training images."""
    weights = data.class_weights(stage, run.fold)
    if stage.class_weights == "balanced" and weights is not None:
        named = zip(data.reader.classes.names, weights, strict=True)
        told = ", ".join(f"{name} {weight:.4g}" for name, weight in named)
        progress.say(f"{run.title} · stage {stage.number}: balanced class weights: {told}")


def take_initial_weights(
    shared: SharedNetwork, experiment: Experiment, stage: Stage, run: Run, progress: Progress
) -> None:
    """Load the `initial_weights` of a stage into the network, if the stage has any, and report it."""
    path = initial_weights_path(experiment, stage.initial_weights, run.fold, run.repeat)
    if path is not None:
        shared.use_shape(stage.shape)
        note = shared.network.load_initial_weights(path)
        progress.say(f"{run.title} · stage {stage.number} starts from {path}: {note}")
