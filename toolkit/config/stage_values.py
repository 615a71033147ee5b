"""A stage as it is run, with the defaults of the experiment."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from toolkit.config.data.pseudo_labels import PseudoSpec, parse_pseudo
from toolkit.config.models import Config
from toolkit.config.training.augmentation import Transform, parse_augmentation
from toolkit.config.training.callbacks import CallbackSpec, parse_callbacks
from toolkit.config.training.losses import LossTerm, parse_loss
from toolkit.config.training.mixing import MixingSpec, parse_mixing
from toolkit.config.training.negatives import parse_negatives
from toolkit.config.training.optimizers import OptimizerCall, parse_optimizer
from toolkit.config.training.schedules import PluginSchedule, Schedule, parse_schedule
from toolkit.config.training.stages import StageConfig
from toolkit.config.training.weight_averaging import Averaging, parse_averaging
from toolkit.config.yaml.yaml_files import KeyPath
from toolkit.core.sampling.epoch_sampling import Negatives


@dataclass(frozen=True)
class Stage:
    """Everything that one stage of every fold is trained with.

    `augmentation_key` is the key path of the augmentation in the configuration, for messages. `frozen` tells whether
    the encoder keeps its weights.
    """

    number: int
    epochs: int
    lr: float
    loss: tuple[LossTerm, ...]
    class_weights: Literal["balanced"] | tuple[float, ...] | None
    optimizer: OptimizerCall
    schedule: Schedule
    batch: int
    shape: tuple[int, int, int]
    augmentation: tuple[Transform, ...]
    augmentation_key: KeyPath
    mixing: MixingSpec
    pseudo: PseudoSpec | None
    negatives: Negatives
    validation_negatives: Negatives
    positives: Literal["real", "area_bins", "classes"]
    hard_negatives: float
    validate_every: int
    callbacks: tuple[CallbackSpec, ...]
    weight_averaging: Averaging
    frozen: bool
    initial_weights: str | None

    def validates(self, epoch: int) -> bool:
        """Whether an epoch, counted from 0, is validated: every so many, and the last one."""
        return (epoch + 1) % self.validate_every == 0 or epoch + 1 == self.epochs


def read_stage(config: Config, number: int, plugins: Collection[str] = ()) -> Stage:
    """A stage by its number, with the defaults of the experiment."""
    stage = config.stages[number]

    def either(key: str) -> Any:
        value = getattr(stage, key)
        return getattr(config, key) if value is None else value

    return Stage(
        number=number,
        epochs=stage.epochs,
        lr=either("lr"),
        loss=parse_loss(either("loss"), plugins),
        class_weights=either("class_weights"),
        optimizer=parse_optimizer(either("optimizer"), plugins),
        schedule=parse_schedule(either("schedule"), plugins),
        batch=either("batch"),
        shape=either("shape"),
        augmentation=parse_augmentation(either("augmentation"), plugins),
        augmentation_key=stage_key(stage, number, "augmentation"),
        mixing=parse_mixing(either("mixing")),
        pseudo=parse_pseudo(either("pseudo")),
        negatives=parse_negatives(stage.negatives),
        validation_negatives=parse_negatives(stage.validation_negatives),
        positives=stage.positives,
        hard_negatives=stage.hard_negatives,
        validate_every=either("validate_every"),
        callbacks=parse_callbacks(either("callbacks"), plugins) + parse_callbacks(stage.extra_callbacks, plugins),
        weight_averaging=parse_averaging(either("weight_averaging")),
        frozen=_is_frozen(config, number),
        initial_weights=stage.initial_weights,
    )


def dotted_names(config: Config, plugins: Collection[str] = ()) -> frozenset[str]:
    """The dotted paths of the user's code that a configuration names, in every place where it may name code."""
    found = {config.architecture, *(metric.name for metric in config.metric_specs)}
    data = config.data
    found |= {source.name for source in (data.source, data.test_source) if source is not None}
    found |= {keys.source.name for keys in (*data.merge, *data.extra_train_data) if keys.source is not None}
    found |= set(_names_of(parse_augmentation(config.transforms, plugins)))
    for number in range(len(config.stages)):
        stage = read_stage(config, number, plugins)
        found |= {stage.optimizer.name, *(term.name for term in stage.loss), *(one.name for one in stage.callbacks)}
        found |= {leg.name for leg in stage.schedule.legs if isinstance(leg, PluginSchedule)}
        found |= set(_names_of(stage.augmentation))
    return frozenset(name for name in found if "." in name)


def _names_of(transforms: Iterable[Transform]) -> Iterator[str]:
    for transform in transforms:
        yield transform.name
        yield from _names_of(transform.children)


def stage_key(stage: StageConfig, number: int, key: str) -> KeyPath:
    """The key path of the value that a stage has for a key: in the stage, or else in the experiment."""
    return (key,) if getattr(stage, key) is None else ("stages", number, key)


def _is_frozen(config: Config, number: int) -> bool:
    """Whether the encoder is frozen in a stage: as set by the last stage up to it, or else by the experiment."""
    frozen = config.freeze_encoder
    for stage in config.stages[: number + 1]:
        if stage.freeze_encoder is not None:
            frozen = stage.freeze_encoder
    return frozen
