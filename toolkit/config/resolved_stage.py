"""A stage as it is run, with the defaults of the experiment."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from toolkit.config.models import Config
from toolkit.config.training.augmentation import Transform, parse_augmentation
from toolkit.config.training.callbacks import CallbackSpec, parse_callbacks, schedule_from_callbacks
from toolkit.config.training.losses import LossTerm, parse_loss
from toolkit.config.training.mixing import MixingSpec, parse_mixing
from toolkit.config.training.negatives import parse_negatives
from toolkit.config.training.optimizers import OptimizerCall, parse_optimizer
from toolkit.config.training.schedules import Schedule, parse_schedule
from toolkit.config.training.stages import StageConfig
from toolkit.config.training.weight_averaging import Averaging, parse_averaging
from toolkit.config.yaml.named_calls import ProblemsAtError
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
    negatives: Negatives
    validation_negatives: Negatives
    positives: Literal["real", "area_bins", "classes"]
    hard_negatives: float
    callbacks: tuple[CallbackSpec, ...]
    weight_averaging: Averaging
    frozen: bool
    initial_weights: str | None


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
        schedule=stage_schedule(config, number, plugins)[1],
        batch=either("batch"),
        shape=either("shape"),
        augmentation=parse_augmentation(either("augmentation"), plugins),
        augmentation_key=stage_key(stage, number, "augmentation"),
        mixing=parse_mixing(either("mixing")),
        negatives=parse_negatives(stage.negatives),
        validation_negatives=parse_negatives(stage.validation_negatives),
        positives=stage.positives,
        hard_negatives=stage.hard_negatives,
        callbacks=sum(_callbacks(config, number, plugins), ()),
        weight_averaging=parse_averaging(either("weight_averaging")),
        frozen=_is_frozen(config, number),
        initial_weights=stage.initial_weights,
    )


def stage_key(stage: StageConfig, number: int, key: str) -> KeyPath:
    """The key path of the value that a stage has for a key: in the stage, or else in the experiment."""
    return (key,) if getattr(stage, key) is None else ("stages", number, key)


def stage_schedule(config: Config, number: int, plugins: Collection[str] = ()) -> tuple[KeyPath, Schedule]:
    """What sets the learning rate in a stage, and where it stands.

    CyclicLR or LRVariator among its callbacks, or else its `schedule`. A stage's callbacks come before the experiment's
    schedule; what else names two at once contradicts itself.

    Raises:
        ProblemsAtError: it does.
    """
    stage = config.stages[number]
    keys = (stage_key(stage, number, "callbacks"), ("stages", number, "extra_callbacks"))
    found = [
        ((*key, *spec.path), schedule)
        for key, specs in zip(keys, _callbacks(config, number, plugins), strict=True)
        for spec in specs
        if (schedule := schedule_from_callbacks((spec,))) is not None
    ]
    at = stage_key(stage, number, "schedule")
    if not found:
        return at, parse_schedule(config.schedule if stage.schedule is None else stage.schedule, plugins)
    (first, schedule), *others = found
    of_the_experiment = first[0] == "callbacks" and config.schedule != "constant"
    wrong = others[0][0] if others else at if stage.schedule is not None or of_the_experiment else None
    if wrong is not None:
        text = f"{'.'.join(map(str, first))} sets the learning rate already: keep one of them"
        raise ProblemsAtError([(wrong, ValueError(text), None)])
    return first, schedule


def _callbacks(
    config: Config, number: int, plugins: Collection[str]
) -> tuple[tuple[CallbackSpec, ...], tuple[CallbackSpec, ...]]:
    """The callbacks of a stage (or else of the experiment), and its extra callbacks."""
    stage = config.stages[number]
    first = config.callbacks if stage.callbacks is None else stage.callbacks
    return parse_callbacks(first, plugins), parse_callbacks(stage.extra_callbacks, plugins)


def _is_frozen(config: Config, number: int) -> bool:
    """Whether the encoder is frozen in a stage: as set by the last stage up to it, or else by the experiment."""
    frozen = config.freeze_encoder
    for stage in config.stages[: number + 1]:
        if stage.freeze_encoder is not None:
            frozen = stage.freeze_encoder
    return frozen
