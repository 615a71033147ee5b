"""Fitting an experiment: everything that can fail built beforehand, then the folds trained."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from toolkit.config.loading import Loaded
from toolkit.config.metrics import read_metric
from toolkit.config.models import Config
from toolkit.config.resolved_stage import Stage, read_stage, stage_key
from toolkit.config.yaml.yaml_files import KeyPath
from toolkit.core.images.tiles import window_size
from toolkit.core.masks.labels import IGNORE, label_count
from toolkit.core.metrics.metric import Metric
from toolkit.core.metrics.registry import MetricSpec, build_metrics
from toolkit.core.sampling.patches import cell_of
from toolkit.errors import ConfigError, NetworkError, ToolkitError, WeightsError
from toolkit.files.datasets.crops import crop_pool
from toolkit.files.datasets.occupancy import find_occupancies
from toolkit.files.datasets.training_pool import Pool
from toolkit.files.experiment.folder import Experiment
from toolkit.learning.augmentation.augmentation import Augmentation
from toolkit.learning.augmentation.mixing import Mixing
from toolkit.learning.batches import SampleReader, Where, build_reader
from toolkit.learning.losses.registry import build_loss
from toolkit.learning.networks.network import build_network
from toolkit.learning.networks.outputs import Outputs
from toolkit.learning.optimizing.optimizers import build_optimizer
from toolkit.learning.optimizing.schedules import build_schedule
from toolkit.learning.plugins import check_call
from toolkit.learning.runtime import Precision, compiled, configure, take_memory_by_need, tf, training_devices
from toolkit.learning.training.epoch_data import NEVER, Deadline, Patches, Run, TrainingData, callbacks_of
from toolkit.learning.training.fold import train_fold
from toolkit.learning.training.trainer import Trainer
from toolkit.messages import Progress

_CHECKED = ("loss", "optimizer", "schedule", "callbacks", "batch")
"""Keys of a stage that only what is built from them, or this machine, can tell to be wrong."""


@dataclass(frozen=True)
class Plan:
    """How an experiment trains: its stages and what belongs to each, in their order."""

    config: Config
    stages: Sequence[Stage]
    augmentations: Sequence[Augmentation]
    mixings: Sequence[Mixing]
    reader: SampleReader
    metrics: Sequence[Metric]
    own: Mapping[str, Any]
    notes: Sequence[str]

    def training_data(self, pool: Pool, progress: Progress, deadline: Deadline = NEVER) -> TrainingData:
        """What the folds share while they are trained on a pool of images.

        Raises:
            DataError: a mask cannot be read.
            ConfigError: training images would be scaled down, but tiles keep the size of things.
        """
        parts, patches = self._cut(pool, progress)
        return TrainingData(
            pool,
            self.reader,
            self.augmentations,
            self.mixings,
            self.metrics,
            self.config.stored_probability,
            self.config.seed,
            self.own,
            deadline,
            parts,
            patches,
        )

    def _cut(self, pool: Pool, progress: Progress) -> tuple[Pool | None, Patches | None]:
        """The parts of the images, or what patches are drawn by, if training asks for them."""
        config = self.config
        if config.crops is not None:
            return crop_pool(pool, config.crops, progress), None
        if config.patches is not None:
            patches = config.patches
            cell = cell_of([window_size(stage.shape[:2], patches.scale) for stage in self.stages])
            occupancies = find_occupancies(pool.samples, cell, progress)
            return None, Patches(occupancies, patches.per_image, patches.positive_share, patches.scale)
        if config.tiles is not None:
            for stage in self.stages:
                _refuse_shrunk(pool, stage.shape[:2])
        return None, None


def _refuse_shrunk(pool: Pool, shape: tuple[int, int]) -> None:
    for sample in pool.samples:
        height, width = sample.size
        if height > shape[0] or width > shape[1]:
            raise ConfigError(
                f"tiles: {sample.image_id} is {height}×{width}, larger than the shape {shape[0]}×{shape[1]}: it would "
                "be scaled down in training, but not in prediction by tiles",
                "Add patches: {per_image: 8}, or crops; see docs/large-images.md.",
            )


@dataclass(frozen=True)
class Work:
    """Which folds and stages to train, and until when."""

    folds: Sequence[int]
    stages: Sequence[int]
    deadline: Deadline = NEVER


def plan_training(loaded: Loaded[Config], own: Mapping[str, Any]) -> Plan:
    """Build what can fail, before hours are spent: transforms, losses, optimizers, callbacks, metrics, network.

    Raises:
        ConfigError, NetworkError, WeightsError: with the key at fault.
    """
    take_memory_by_need()
    config = loaded.config

    def where(key: KeyPath) -> str:
        return loaded.where(*key)

    stages = [read_stage(config, number, own) for number in range(len(config.stages))]
    classes = config.task_classes
    keys: list[KeyPath] = [("primary_metric",), *(("metrics", number) for number in range(len(config.metrics)))]
    for key, value in zip(keys, (config.primary_metric, *config.metrics), strict=True):
        _checked(where(key), _check_metric, read_metric(value), own)
    benchmark = config.benchmark_index
    metrics = build_metrics(config.metric_specs, classes.count, classes.activation, plugins=own, benchmark=benchmark)
    for stage in stages:
        at = {key: where(stage_key(config.stages[stage.number], stage.number, key)) for key in _CHECKED}
        weights = None if isinstance(stage.class_weights, str) else stage.class_weights
        _checked(at["loss"], _check_loss, config, stage, weights, own)
        _checked(at["optimizer"], build_optimizer, stage.optimizer, stage.lr, own)
        _checked(at["schedule"], build_schedule, stage.schedule, stage.lr, stage.epochs, own)
        _checked(at["callbacks"], callbacks_of, stage, metrics, own, 1)
        _checked(at["batch"], _check_batch, stage.batch)
    notes = _check_networks(config, where, own)
    return Plan(
        config,
        stages,
        [build_augmentation(config, stage, where, own) for stage in stages],
        [Mixing(stage.mixing, config.activation) for stage in stages],
        build_reader(config, where, own),
        metrics,
        own,
        notes,
    )


def fit_folds(
    experiment: Experiment, plan: Plan, pool: Pool, part: Work, *, precision: Precision, progress: Progress
) -> None:
    """Train folds; finished ones are left alone, a broken one goes on after its last finished epoch.

    Raises:
        OutOfTimeError: the deadline is over; what is finished is kept.
    """
    config, stages = plan.config, plan.stages
    wanted = [stages[number] for number in part.stages]
    runs = [Run(fold, repeat, config.seed + repeat) for fold in part.folds for repeat in range(config.num_seeds)]
    unfinished = [run for run in runs if not _is_finished(experiment, run, wanted)]
    if not unfinished:
        return
    configure(precision)
    data = plan.training_data(pool, progress, part.deadline)
    for note in plan.notes:
        progress.say(note)
    trainer = Trainer(config, plan.own)
    epochs = sum(stage.epochs for stage in wanted)
    what = "1 fold" if len(runs) == 1 else f"{len(runs)} folds"
    with progress.task(f"{experiment.name}: {what}", epochs * len(runs)) as task:
        for run in runs:
            if run in unfinished:
                train_fold(trainer, experiment, stages, data, run, only=part.stages, progress=progress, overall=task)
            else:
                progress.say(f"{run.title} is finished already")
                task.advance(epochs)


def is_trained(experiment: Experiment, config: Config) -> bool:
    """Whether every stage of every fold is finished."""
    return all(
        experiment.stage(fold, stage, repeat).is_complete()
        for fold in range(config.folds_count)
        for repeat in range(config.num_seeds)
        for stage in range(len(config.stages))
    )


def build_augmentation(config: Config, stage: Stage, where: Where, own: Mapping[str, Any]) -> Augmentation:
    """The augmentation of a stage; raises ConfigError, with where the fault is."""
    classes, key = config.task_classes, stage.augmentation_key
    return Augmentation(
        stage.augmentation,
        lambda inner: where((*key, *inner)),
        stage.shape,
        own,
        fill_label=IGNORE if classes.ignore else 0,
        labels=range(label_count(classes.count, classes.activation)),
    )


def _checked(where: str, build: Callable[..., Any], *arguments: Any) -> None:
    """Build something; an error says where the fault is."""
    try:
        build(*arguments)
    except ToolkitError as error:
        raise type(error)(f"{where}: {error.message}", error.advice) from error
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{where}: {error}") from error


def _check_loss(config: Config, stage: Stage, class_weights: tuple[float, ...] | None, own: Mapping[str, Any]) -> None:
    """Build the loss of a stage; one of the user's is called too, on its own and as part of a graph, as in training."""
    loss = build_loss(stage.loss, config.activation, class_weights, own)
    names = [term.name for term in stage.loss if isinstance(term.arguments, Mapping)]
    if not names:
        return
    shape = (2, *stage.shape[:2], config.class_count)
    target = tf.one_hot(tf.zeros(shape[:3], tf.uint8), shape[3], dtype=tf.uint8)
    presence = tf.zeros((shape[0], shape[3])) if config.presence_head else None
    arguments = (target, Outputs(tf.zeros(shape), presence=presence), tf.constant(0.0))
    try:
        loss(*arguments)
        compiled(loss)(*arguments)
    except ToolkitError:
        raise
    except Exception as error:
        # TensorFlow tells the whole way to the fault; what is wrong comes last.
        text = (str(error).strip().splitlines() or [""])[-1].strip()
        raise ConfigError(
            f"the loss fails when it is called ({', '.join(names)}): {type(error).__name__}: {text}"
        ) from error


def _check_networks(config: Config, where: Where, own: Mapping[str, Any]) -> Sequence[str]:
    """Build the network for each size that a stage asks for; returns what there is to say about its weights.

    The weights of the encoder do not depend on the size: the first network alone takes them.

    Raises:
        NetworkError, WeightsError: with the key at fault.
    """
    notes: Sequence[str] | None = None
    shapes = [config.stage_shape(number) for number in range(len(config.stages))]
    for shape in dict.fromkeys(shapes):
        spec = config.network_spec(shape)
        if notes is not None:
            spec = spec.model_copy(update={"encoder_weights": None})
        try:
            network = build_network(spec, config.seed, own=own)
        except (NetworkError, WeightsError) as error:
            key, text = _key_at_fault(config, error.message)
            number = shapes.index(shape)
            key = stage_key(config.stages[number], number, "shape") if key == ("shape",) else key
            raise type(error)(f"{where(key)}: {text}", error.advice) from error
        notes = network.notes if notes is None else notes
    return notes or ()


def _check_metric(spec: MetricSpec, own: Mapping[str, Any]) -> None:
    if spec.is_plugin:
        check_call(spec.name, own[spec.name], ("prediction", "truth", "valid"), dict(spec.arguments))


def _key_at_fault(config: Config, message: str) -> tuple[KeyPath, str]:
    """The key that an error of a network begins with, and the rest of it; else it is about the architecture."""
    word, _, text = message.partition(": ")
    if word in type(config).model_fields:
        return (word,), text
    if word in config.architecture_options:
        return ("architecture_options", word), text
    return ("architecture",), message


def _check_batch(batch: int) -> None:
    devices = len(training_devices())
    if batch < devices:
        raise ValueError(
            f"{devices} devices cannot share a batch of {batch}; use a larger one, or fewer devices, as with "
            "CUDA_VISIBLE_DEVICES=0"
        )


def _is_finished(experiment: Experiment, run: Run, stages: Sequence[Stage]) -> bool:
    return all(experiment.stage(run.fold, stage.number, run.repeat).is_complete() for stage in stages)
