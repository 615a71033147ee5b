"""Fitting an experiment: every fold trained, then every image predicted."""

from toolkit.config.augmentation import parse_augmentation
from toolkit.config.calls import ProblemsAtError
from toolkit.config.loading import Loaded
from toolkit.config.models import Config
from toolkit.config.yaml_files import KeyPath
from toolkit.core.arrays import Floats, Integers
from toolkit.errors import ConfigError
from toolkit.files.experiment import Experiment
from toolkit.files.sources import LabelledImages
from toolkit.learning.augmentation import Augmentation
from toolkit.learning.batches import SampleReader
from toolkit.learning.networks import build_network
from toolkit.learning.runtime import Precision, configure
from toolkit.learning.training import Trainer, TrainingData, train_fold
from toolkit.messages import Progress


def check_learning(loaded: Loaded[Config]) -> None:
    """Build what can fail, before hours are spent: transforms and network.

    Raises:
        ConfigError, NetworkError, WeightsError: with the key at fault.
    """
    build_augmentation(loaded)
    build_network(loaded.config, loaded.config.seed)


def build_augmentation(loaded: Loaded[Config]) -> Augmentation:
    """The augmentation of a configuration.

    Raises:
        ConfigError: with the key at fault.
    """

    def where(path: KeyPath) -> str:
        return loaded.where("augmentation", *path)

    try:
        transforms = parse_augmentation(loaded.config.augmentation)
    except ProblemsAtError as error:
        raise ConfigError("\n".join(f"{where(path)}: {problem}" for path, problem, _ in error.problems)) from error
    return Augmentation(transforms, where, loaded.config.shape)


def fit_folds(
    experiment: Experiment,
    loaded: Loaded[Config],
    data: LabelledImages,
    coverage: Floats,
    folds: Integers,
    *,
    precision: Precision,
    progress: Progress,
) -> None:
    """Train all folds; finished ones are left alone, a broken one goes on after its last finished epoch."""
    configure(precision)
    config = loaded.config
    height, width, _ = config.shape
    shared = TrainingData(
        data,
        data.images.ids,
        coverage > 0,
        folds,
        build_augmentation(loaded),
        SampleReader((height, width), config.resize),
    )
    epochs = sum(stage.epochs for stage in config.stages)
    unfinished = [fold for fold in range(config.folds_count) if not _is_finished(experiment, config, fold)]
    if not unfinished:
        return
    trainer = Trainer(config)
    with progress.task(f"{experiment.name}: {config.folds_count} folds", epochs * config.folds_count) as task:
        for fold in range(config.folds_count):
            if fold in unfinished:
                train_fold(trainer, experiment, shared, fold, progress=progress, overall=task)
            else:
                progress.say(f"fold {fold} is finished already")
                task.advance(epochs)


def _is_finished(experiment: Experiment, config: Config, fold: int) -> bool:
    return all(experiment.stage(fold, number).is_complete() for number in range(len(config.stages)))
