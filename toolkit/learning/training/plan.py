"""The plan of a fit: everything that the configuration describes, built and checked before training begins."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from toolkit.config.loading import Loaded
from toolkit.config.metrics import read_metric
from toolkit.config.models import Config
from toolkit.config.stage_values import Stage, read_stage, stage_key
from toolkit.config.yaml.yaml_files import KeyPath
from toolkit.core.masks.labels import IGNORE, label_count
from toolkit.core.metrics.metric import Metric, case_of
from toolkit.core.metrics.registry import ALWAYS_RECORDED, MetricSpec, build_metric, build_metrics
from toolkit.core.metrics.stateful import StatefulMetric
from toolkit.errors import ConfigError, NetworkError, ToolkitError, WeightsError, raised_by
from toolkit.files.datasets.keeping import size_text
from toolkit.files.disk.free_space import free_memory
from toolkit.learning.augmentation.augmentation import Augmentation
from toolkit.learning.augmentation.mixing import Mixing
from toolkit.learning.losses.registry import build_loss
from toolkit.learning.networks.network import build_network
from toolkit.learning.networks.outputs import Outputs
from toolkit.learning.optimizing.callbacks import Callback, build_callbacks
from toolkit.learning.optimizing.optimizers import build_optimizer
from toolkit.learning.optimizing.schedules import build_schedule
from toolkit.learning.plugins import check_call
from toolkit.learning.reading.sample_reader import SampleReader, Where, build_reader
from toolkit.learning.runtime import compiled, has_gpu, take_memory_by_need, tf, training_devices

_BYTES_A_PIXEL = 128  # of features and their gradients, at the least
_CHECKED_KEYS = ("loss", "optimizer", "schedule", "callbacks", "batch")
"""Keys of a stage whose errors show only when something is built from them, or on this machine."""


@dataclass(frozen=True)
class Plan:
    """How an experiment trains.

    `augmentations` and `mixings` have one entry a stage. `metrics` are those of the configuration, the primary one
    first; `recorded` are these and the ones that every epoch records. `notes` are sentences about the initial weights,
    for the screen.
    """

    config: Config
    stages: Sequence[Stage]
    augmentations: Sequence[Augmentation]
    mixings: Sequence[Mixing]
    reader: SampleReader
    metrics: Sequence[Metric]
    recorded: Sequence[Metric]
    plugins: Mapping[str, Any]
    notes: Sequence[str]

    def callbacks(self, stage: Stage) -> list[Callback]:
        """New callbacks for a stage."""
        return _callbacks(self.config, stage, self.metrics, self.plugins)

    def is_better(self, value: float, other: float) -> bool:
        """Whether one value of the primary metric is better than another."""
        return self.metrics[0].is_better(value, other)


def plan_training(loaded: Loaded[Config], plugins: Mapping[str, Any]) -> Plan:
    """Build transforms, losses, optimizers, callbacks, metrics and networks, so that errors show before training.

    Args:
        loaded: the configuration, with the places of its keys.
        plugins: the user's functions and classes by name.

    Raises:
        ConfigError, NetworkError, WeightsError: something cannot be built; the message begins with its key.
    """
    take_memory_by_need()
    config = loaded.config

    def where(key: KeyPath) -> str:
        return loaded.where(*key)

    stages = [read_stage(config, number, plugins) for number in range(len(config.stages))]
    for stage in stages:
        _refuse_too_large(stage, where)
    metrics = _metrics(config, where, plugins)
    for stage in stages:
        _check_stage(config, stage, metrics, plugins, where)
    return Plan(
        config=config,
        stages=stages,
        augmentations=[build_augmentation(config, stage, where, plugins) for stage in stages],
        mixings=[Mixing(stage.mixing, config.activation, config.class_count) for stage in stages],
        reader=build_reader(config, where, plugins),
        metrics=metrics,
        recorded=_built([*config.metric_specs, *ALWAYS_RECORDED], config, plugins),
        plugins=plugins,
        notes=_check_networks(config, where, plugins),  # last, because it takes longest
    )


def _refuse_too_large(stage: Stage, where: Where) -> None:
    """Refuse a batch that cannot fit in the memory of a machine without a GPU: the system would end the program."""
    height, width, _ = stage.shape
    needed, free = stage.batch * height * width * _BYTES_A_PIXEL, free_memory()
    if needed > free and not has_gpu():
        raise ConfigError(
            f"{where(('shape',))}: a batch of {stage.batch} images of {height}×{width} takes at least "
            f"{size_text(needed)} of memory, and {size_text(free)} are free",
            "Choose a smaller batch or shape, for example patches: {per_image: 4} with shape: [512, 512, 3].",
        )


def build_augmentation(config: Config, stage: Stage, where: Where, plugins: Mapping[str, Any]) -> Augmentation:
    """The augmentation of a stage.

    Raises:
        ConfigError: a transform cannot be built or does not keep samples valid; the message begins with its key.
    """
    classes, key = config.task_classes, stage.augmentation_key
    return Augmentation(
        stage.augmentation,
        lambda inner: where((*key, *inner)),
        stage.shape,
        plugins,
        fill_label=IGNORE if classes.ignore else 0,
        labels=range(label_count(classes.count, classes.activation)),
    )


def _metrics(config: Config, where: Where, plugins: Mapping[str, Any]) -> Sequence[Metric]:
    keys: list[KeyPath] = [("primary_metric",), *(("metrics", number) for number in range(len(config.metrics)))]
    for key, value in zip(keys, (config.primary_metric, *config.metrics), strict=True):
        _checked(where(key), _check_metric, config, read_metric(value), plugins)
    return _built(config.metric_specs, config, plugins)


def _built(specs: Sequence[MetricSpec], config: Config, plugins: Mapping[str, Any]) -> Sequence[Metric]:
    classes, rules = config.task_classes, config.scoring_rules
    return build_metrics(specs, classes.count, classes.activation, names=classes.names, plugins=plugins, rules=rules)


def _check_metric(config: Config, spec: MetricSpec, plugins: Mapping[str, Any]) -> None:
    """Build a metric of the user or of Keras, and try one with a state on a single pixel of background."""
    if not spec.is_plugin:
        return
    classes = config.task_classes
    metric = build_metric(spec, classes.count, classes.activation, plugins)
    if not isinstance(metric, StatefulMetric):
        check_call(spec.name, plugins[spec.name], ("prediction", "truth", "valid"), dict(spec.arguments))
        return
    nothing = np.zeros((1, 1, classes.count), np.float32)
    case = case_of(nothing > 0, np.zeros((1, 1), np.uint8), classes.activation, probability=nothing)
    metric.score(metric.measure(case)[None])


def _check_stage(
    config: Config, stage: Stage, metrics: Sequence[Metric], plugins: Mapping[str, Any], where: Where
) -> None:
    """Build what the keys of a stage describe; what differs from fold to fold is built again for each."""
    at = {key: where(stage_key(config.stages[stage.number], stage.number, key)) for key in _CHECKED_KEYS}
    weights = None if isinstance(stage.class_weights, str) else stage.class_weights
    _checked(at["loss"], _check_loss, config, stage, weights, plugins)
    _checked(at["optimizer"], build_optimizer, stage.optimizer, stage.lr, plugins)
    _checked(at["schedule"], build_schedule, stage.schedule, stage.lr, stage.epochs, plugins)
    _checked(at["callbacks"], _callbacks, config, stage, metrics, plugins)
    _checked(at["batch"], _check_batch, stage.batch)


def _checked(where: str, build: Callable[..., Any], *arguments: Any) -> None:
    """Build something; the message of an error begins with the place of the key."""
    try:
        build(*arguments)
    except ToolkitError as error:
        raise type(error)(f"{where}: {error.message}", error.advice) from error
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{where}: {error}") from error


def _check_loss(
    config: Config, stage: Stage, class_weights: tuple[float, ...] | None, plugins: Mapping[str, Any]
) -> None:
    """Build the loss of a stage; a loss of the user is also called, directly and inside a graph as in training."""
    loss = build_loss(stage.loss, config.activation, class_weights, plugins)
    names = [term.name for term in stage.loss if isinstance(term.arguments, Mapping)]
    if not names:
        return
    shape = (2, *stage.shape[:2], config.class_count)
    target = tf.one_hot(tf.zeros(shape[:3], tf.uint8), shape[3], dtype=tf.uint8)
    if stage.pseudo is not None and stage.pseudo.weight != 1:
        target = tf.concat([tf.cast(target, tf.float32), tf.ones((*shape[:3], 1))], axis=-1)
    presence = tf.zeros((shape[0], shape[3])) if config.presence_head else None
    arguments = (target, Outputs(tf.zeros(shape), presence=presence), tf.constant(0.0))
    try:
        loss(*arguments)
        compiled(loss)(*arguments)
    except ToolkitError:
        raise
    except Exception as error:
        raise ConfigError(f"the loss fails when it is called ({', '.join(names)}): {raised_by(error)}") from error


def _callbacks(config: Config, stage: Stage, metrics: Sequence[Metric], plugins: Mapping[str, Any]) -> list[Callback]:
    return build_callbacks(
        stage.callbacks,
        metrics[0].label,
        plugins,
        lr=stage.lr,
        lower_is_better={metric.label for metric in metrics if metric.direction == "min"},
        classes=config.task_classes.names,
    )


def _check_batch(batch: int) -> None:
    devices = len(training_devices())
    if batch < devices:
        raise ValueError(
            f"a batch of {batch} cannot be shared by {devices} devices; use a batch of at least {devices}, or fewer "
            "devices (for example CUDA_VISIBLE_DEVICES=0)"
        )


def _check_networks(config: Config, where: Where, plugins: Mapping[str, Any]) -> Sequence[str]:
    """Build the network for each input size of the stages; returns notes about its initial weights.

    Encoder weights do not depend on the size, so only the first network loads them.

    Raises:
        NetworkError, WeightsError: the network cannot be built; the message begins with its key.
    """
    notes: Sequence[str] | None = None
    shapes = [config.stage_shape(number) for number in range(len(config.stages))]
    for shape in dict.fromkeys(shapes):
        spec = config.network_spec(shape)
        if notes is not None:
            spec = spec.model_copy(update={"encoder_weights": None})
        try:
            network = build_network(spec, config.seed, plugins=plugins)
        except (ConfigError, NetworkError, WeightsError) as error:  # a ConfigError is about the user's code
            key, text = _key_at_fault(config, error.message)
            number = shapes.index(shape)
            key = stage_key(config.stages[number], number, "shape") if key == ("shape",) else key
            raise type(error)(f"{where(key)}: {text}", error.advice) from error
        notes = network.notes if notes is None else notes
    return notes or ()


def _key_at_fault(config: Config, message: str) -> tuple[KeyPath, str]:
    """The key that a network's error message begins with, and the rest of it; `architecture` where it names none."""
    word, _, text = message.partition(": ")
    if word in type(config).model_fields:
        return (word,), text
    if word in config.architecture_options:
        return ("architecture_options", word), text
    return ("architecture",), message
