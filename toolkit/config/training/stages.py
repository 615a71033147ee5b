"""What config.yaml may say of a stage."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from toolkit.config.training.augmentation import parse_augmentation
from toolkit.config.training.callbacks import parse_callbacks
from toolkit.config.training.losses import parse_loss
from toolkit.config.training.mixing import parse_mixing
from toolkit.config.training.negatives import parse_negatives
from toolkit.config.training.optimizers import parse_optimizer
from toolkit.config.training.schedules import parse_schedule
from toolkit.config.training.weight_averaging import parse_averaging
from toolkit.config.yaml.fields import Named, NotNegative, PositiveInteger, PositiveNumber, Shape, checked_by
from toolkit.config.yaml.named_calls import ClosedModel

Loss = Annotated[str, checked_by(parse_loss)]
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
ClassWeights = Annotated[Literal["balanced"] | tuple[NotNegative, ...], Field(union_mode="left_to_right")]


class StageConfig(ClosedModel):
    """One leg of a fold's training; what it leaves out is taken from the experiment."""

    epochs: PositiveInteger = Field(description="Number of epochs.")
    lr: PositiveNumber | None = Field(None, description="Learning rate; the experiment's if left out.")
    loss: Loss | None = Field(None, description="Loss; the experiment's if left out.")
    class_weights: ClassWeights | None = Field(None, description="Class weights; the experiment's if left out.")
    optimizer: Optimizer | None = Field(None, description="Optimizer; the experiment's if left out.")
    schedule: Schedule | None = Field(None, description="Learning-rate schedule; the experiment's if left out.")
    batch: PositiveInteger | None = Field(None, description="Images in a batch; the experiment's if left out.")
    shape: Shape | None = Field(
        None, description="Input of the network: height, width, channels; the experiment's if left out. Predictions "
        "are made at the shape of the last stage.",
    )  # fmt: skip
    augmentation: AugmentationValue | None = Field(None, description="Augmentation; the experiment's if left out.")
    mixing: Mixing | None = Field(None, description="Mixing of images; the experiment's if left out.")
    negatives: NegativesValue = Field(
        "real", description="Images without foreground in training, re-drawn every epoch: `none`, `real` (all), a "
        "number of negatives per positive, `{positive_share: 0.8}`, or `{from: 0.8, to: 0.4}`: such shares, changing "
        "from the first epoch to the last.",
    )  # fmt: skip
    validation_negatives: ValidationNegatives = Field(
        "real", description="The same for the images that the epochs are judged on; what is drawn is drawn once a fold."
    )
    positives: Literal["real", "area_bins", "classes"] = Field(
        "real", description="Images with foreground in training: `real` (each once an epoch), or as many drawn evenly "
        "over bins of their foreground coverage (`area_bins`) or over the classes that they show (`classes`).",
    )  # fmt: skip
    hard_negatives: NotNegative = Field(
        0.0, description="Draw negatives by their false positives under the weights that the stage starts from: the "
        "image with the most is 1 + this number times as likely as one without any, the others are between. Needs "
        "`negatives` that are drawn: a number, or shares.",
    )  # fmt: skip
    callbacks: Callbacks | None = Field(None, description="Callbacks instead of the experiment's.")
    extra_callbacks: Callbacks | None = Field(None, description="Callbacks in addition to those.")
    weight_averaging: Averaging | None = Field(None, description="Weight averaging; the experiment's if left out.")
    freeze_encoder: bool | None = Field(
        None, description="Whether the encoder keeps its weights, from this stage on; as before if left out."
    )
    initial_weights: str | None = Field(
        None, description="Weights to start from instead of the best ones of the stage before: a file, `exp041` (the "
        "best weights of the same fold there), or `exp041:stage1` (those of one stage).",
    )  # fmt: skip

    @field_validator("initial_weights")
    @classmethod
    def _file_or_experiment(cls, value: str | None) -> str | None:
        if value is not None and not is_weight_file(value):
            weights_of(value)
        return value


@dataclass(frozen=True)
class WeightsOf:
    """Weights of another experiment: the best of a fold's last stage, or of a given one."""

    experiment: str
    stage: int | None


def is_weight_file(value: str) -> bool:
    """Whether `initial_weights` names a file, not an experiment."""
    return "/" in value or "\\" in value or value.endswith((".h5", ".hdf5", ".weights"))


def weights_of(value: str) -> WeightsOf:
    """Read `exp041` or `exp041:stage1`.

    Raises:
        ValueError: what follows the colon is no stage.
    """
    name, colon, stage = value.partition(":")
    if not name or (colon and not re.fullmatch(r"stage\d+", stage)):
        raise ValueError(f"expected a file, an experiment such as exp041, or exp041:stage1; received {value!r}")
    return WeightsOf(name, int(stage.removeprefix("stage")) if colon else None)


def _constant_negatives(value: Any) -> None:
    rule = parse_negatives(value)
    if rule.start != rule.end:
        raise ValueError("epochs are judged on the same images from the first to the last: give one positive_share")
