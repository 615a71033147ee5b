"""The keys of a stage."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from toolkit.config.data.pseudo_labels import Pseudo
from toolkit.config.training.augmentation import parse_augmentation
from toolkit.config.training.callbacks import parse_callbacks
from toolkit.config.training.losses import parse_loss
from toolkit.config.training.mixing import parse_mixing
from toolkit.config.training.negatives import parse_negatives
from toolkit.config.training.optimizers import parse_optimizer
from toolkit.config.training.schedules import parse_schedule
from toolkit.config.training.weight_averaging import parse_averaging
from toolkit.config.yaml.closed_model import ClosedModel
from toolkit.config.yaml.fields import Named, NotNegative, PositiveInteger, PositiveNumber, Shape, checked_by

Loss = Annotated[str | dict[str, Any], checked_by(parse_loss)]
Optimizer = Annotated[Named, checked_by(parse_optimizer)]
Schedule = Annotated[Named, checked_by(parse_schedule)]
Callbacks = Annotated[Named, checked_by(parse_callbacks)]
AugmentationValue = Annotated[Named, checked_by(parse_augmentation)]
Mixing = Annotated[dict[str, Any], checked_by(lambda value, _: parse_mixing(value))]
Averaging = Annotated[Named, checked_by(lambda value, _: parse_averaging(value))]
NegativesValue = Annotated[
    str | float | dict[str, Any],
    Field(union_mode="left_to_right"),
    checked_by(lambda value, _: parse_negatives(value)),
]
ValidationNegatives = Annotated[
    str | float | dict[str, Any],
    Field(union_mode="left_to_right"),
    checked_by(lambda value, _: _constant_negatives(value)),
]
BatchSize = Annotated[int, Field(gt=0, le=65_536)]
ClassWeights = Annotated[Literal["balanced"] | tuple[NotNegative, ...], Field(union_mode="left_to_right")]


class StageConfig(ClosedModel):
    """One stage of the training of a fold; most keys default to those of the experiment."""

    epochs: PositiveInteger = Field(description="Number of epochs.")
    lr: PositiveNumber | None = Field(None, description="Learning rate; default: that of the experiment.")
    loss: Loss | None = Field(None, description="Loss; default: that of the experiment.")
    class_weights: ClassWeights | None = Field(None, description="Class weights; default: those of the experiment.")
    optimizer: Optimizer | None = Field(None, description="Optimizer; default: that of the experiment.")
    schedule: Schedule | None = Field(None, description="Learning-rate schedule; default: that of the experiment.")
    batch: BatchSize | None = Field(None, description="Batch size; default: that of the experiment.")
    shape: Shape | None = Field(
        None,
        description="Input of the network: height, width, channels; default: that of the experiment. Predictions "
        "use the shape of the last stage.",
    )
    augmentation: AugmentationValue | None = Field(None, description="Augmentation; default: that of the experiment.")
    mixing: Mixing | None = Field(None, description="Mixing of images; default: that of the experiment.")
    pseudo: Pseudo | None = Field(
        None,
        description="Labels of other networks to learn from; default: those of the experiment. `{}` for none.",
    )
    negatives: NegativesValue = Field(
        "real",
        description="Training images without foreground, drawn again every epoch: `none`, `real` (all), a number "
        "of negatives per positive, `{positive_share: 0.8}` (the share of positives in an epoch), or "
        "`{from: 0.8, to: 0.4}` for a share that changes from the first epoch to the last.",
    )
    validation_negatives: ValidationNegatives = Field(
        "real", description="The same for the validation images; they are drawn once for each fold."
    )
    positives: Literal["real", "area_bins", "classes"] = Field(
        "real",
        description="Training images with foreground: `real` (each once per epoch), or the same number drawn "
        "evenly over bins of foreground coverage (`area_bins`) or over the classes in the image "
        "(`classes`).",
    )
    hard_negatives: NotNegative = Field(
        0.0,
        description="Draw negatives with false positives more often, as predicted with the initial weights of the "
        "stage: the image with the most is drawn 1 + this number times as often as one without any. "
        "Requires `negatives` to be a number or a share.",
    )
    validate_every: PositiveInteger | None = Field(
        None, description="Epochs from one validation to the next; default: that of the experiment."
    )
    callbacks: Callbacks | None = Field(None, description="Callbacks that replace those of the experiment.")
    extra_callbacks: Callbacks | None = Field(None, description="Callbacks in addition to those of `callbacks`.")
    weight_averaging: Averaging | None = Field(None, description="Weight averaging; default: that of the experiment.")
    freeze_encoder: bool | None = Field(
        None,
        description="Whether the encoder's weights are frozen from this stage on; default: as in the stage before.",
    )
    initial_weights: str | None = Field(
        None,
        description="Initial weights, instead of the best weights of the stage before: a file, `exp041` (the best "
        "weights of the same fold of that experiment), or `exp041:stage1` (those of one of its "
        "stages).",
    )

    @field_validator("initial_weights")
    @classmethod
    def _file_or_experiment(cls, value: str | None) -> str | None:
        if value is not None and not is_weight_file(value):
            weights_of(value)
        return value


@dataclass(frozen=True)
class WeightsOf:
    """Weights of another experiment: the best weights of the last stage, or of the given one."""

    experiment: str
    stage: int | None


def is_weight_file(value: str) -> bool:
    """Whether `initial_weights` is a file rather than an experiment."""
    return "/" in value or "\\" in value or value.endswith((".h5", ".hdf5", ".weights"))


def weights_of(value: str) -> WeightsOf:
    """Read `exp041` or `exp041:stage1`.

    Raises:
        ValueError: the text has another form.
    """
    name, colon, stage = value.partition(":")
    if not name or (colon and not re.fullmatch(r"stage[0-9]{1,6}", stage)):
        raise ValueError(
            f"expected a file, an experiment (exp041) or one of its stages (exp041:stage1), received {value!r}"
        )
    return WeightsOf(name, int(stage.removeprefix("stage")) if colon else None)


def _constant_negatives(value: Any) -> None:
    rule = parse_negatives(value)
    if rule.start != rule.end:
        raise ValueError("every epoch is validated on the same images: use a constant share, {positive_share: 0.8}")
