"""A stage as it is run: what it says itself, filled up from the experiment, and read."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from toolkit.config.augmentation import Transform, parse_augmentation
from toolkit.config.averaging import Averaging, parse_averaging
from toolkit.config.callbacks import CallbackSpec, schedule_from_callbacks
from toolkit.config.losses import LossTerm, parse_loss
from toolkit.config.mixing import MixingSpec, parse_mixing
from toolkit.config.models import Config, stage_callbacks
from toolkit.config.optimizers import OptimizerCall, parse_optimizer
from toolkit.config.sampling import parse_negatives
from toolkit.config.schedules import Schedule, parse_schedule
from toolkit.config.yaml_files import KeyPath
from toolkit.core.sampling import Negatives


@dataclass(frozen=True)
class Stage:
    """All that one stage of every fold is trained with.

    `augmentation_key` is where in the configuration the augmentation stands, for messages. `frozen` says whether the
    encoder keeps its weights.
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


def read_stage(config: Config, number: int, own: Collection[str] = ()) -> Stage:
    """The stage of a number, with everything that it leaves out taken from the experiment."""
    stage = config.stages[number]

    def either(key: str) -> Any:
        value = getattr(stage, key)
        return getattr(config, key) if value is None else value

    callbacks = stage_callbacks(config, number, own)
    in_callbacks = schedule_from_callbacks(callbacks)
    return Stage(
        number=number,
        epochs=stage.epochs,
        lr=either("lr"),
        loss=parse_loss(either("loss"), own),
        class_weights=either("class_weights"),
        optimizer=parse_optimizer(either("optimizer"), own),
        schedule=in_callbacks or parse_schedule(either("schedule"), own),
        batch=either("batch"),
        shape=either("shape"),
        augmentation=parse_augmentation(either("augmentation"), own),
        augmentation_key=("augmentation",) if stage.augmentation is None else ("stages", number, "augmentation"),
        mixing=parse_mixing(either("mixing")),
        negatives=parse_negatives(stage.negatives),
        validation_negatives=parse_negatives(stage.validation_negatives),
        positives=stage.positives,
        hard_negatives=stage.hard_negatives,
        callbacks=callbacks,
        weight_averaging=parse_averaging(either("weight_averaging")),
        frozen=_is_frozen(config, number),
        initial_weights=stage.initial_weights,
    )


def _is_frozen(config: Config, number: int) -> bool:
    """Whether the encoder is frozen in a stage: as the last stage up to it that says so, or the experiment."""
    frozen = config.freeze_encoder
    for stage in config.stages[: number + 1]:
        if stage.freeze_encoder is not None:
            frozen = stage.freeze_encoder
        if stage.unfreeze_encoder is not None:
            frozen = not stage.unfreeze_encoder
    return frozen
