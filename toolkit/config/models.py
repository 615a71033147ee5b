"""The typed models of config.yaml: every key, its default, its meaning."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    PlainSerializer,
    Strict,
    ValidationInfo,
    field_validator,
)

from toolkit.config.calls import ClosedModel, UnknownNameError
from toolkit.config.losses import parse_loss
from toolkit.core.blend import StoredType
from toolkit.core.metrics import METRICS
from toolkit.core.placement import Resize
from toolkit.core.sampling import Negatives
from toolkit.core.views import VIEWS

# fmt: off
BACKBONES = (
    "vgg16", "vgg19",
    "resnet18", "resnet34", "resnet50", "resnet101", "resnet152",
    "seresnet18", "seresnet34", "seresnet50", "seresnet101", "seresnet152",
    "resnext50", "resnext101", "seresnext50", "seresnext101", "senet154",
    "densenet121", "densenet169", "densenet201",
    "inceptionv3", "inceptionresnetv2",
    "mobilenet", "mobilenetv2",
    "efficientnetb0", "efficientnetb1", "efficientnetb2", "efficientnetb3",
    "efficientnetb4", "efficientnetb5", "efficientnetb6", "efficientnetb7",
)
# fmt: on
"""Encoders of segmentation-models 1.0.1."""

SIDE_MULTIPLES = {"Unet": 32, "FPN": 32, "Linknet": 32, "PSPNet": 48}
"""What both sides of the input must be a multiple of, by architecture."""


def _one_of(allowed: tuple[str, ...]) -> AfterValidator:
    def check(name: str) -> str:
        if name not in allowed:
            raise UnknownNameError(name, allowed)
        return name

    return AfterValidator(check)


def _loss_that_parses(text: str) -> str:
    parse_loss(text)
    return text


FilePath = Annotated[Path, Strict(False), PlainSerializer(lambda path: path.as_posix(), return_type=str)]
Backbone = Annotated[str, _one_of(BACKBONES)]
MetricName = Annotated[str, _one_of(tuple(METRICS))]
ViewsName = Annotated[str, _one_of(tuple(VIEWS))]
Loss = Annotated[str, AfterValidator(_loss_that_parses)]
PositiveInteger = Annotated[int, Field(gt=0)]
PositiveNumber = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NegativesRule = Annotated[Negatives, Field(union_mode="left_to_right")]


class DataConfig(ClosedModel):
    """Where the data lie. Paths are relative to the file that names them."""

    images: FilePath = Field(description="Folder of the training images (png, jpg, tif, bmp). The id of an image is "
                             "its file name without the extension.")  # fmt: skip
    masks: FilePath = Field(description="Folder of mask files named like the images (png, tif, bmp; every value above "
                            "0 is foreground), or a CSV file of run-length encodings: first column the id, second the "
                            "column-major `start length` pairs, empty or -1 for no mask; several rows of one image are "
                            "united.")  # fmt: skip
    test: FilePath | None = Field(None, description="Folder of the test images; without it nothing can be submitted.")
    sample_submission: FilePath | None = Field(
        None, description="The competition's sample submission: gives columns, ids and their order."
    )


class StageConfig(ClosedModel):
    """One leg of a fold's training; what it leaves out is taken from the experiment."""

    epochs: PositiveInteger = Field(description="Number of epochs.")
    lr: PositiveNumber | None = Field(None, description="Learning rate; the experiment's if left out.")
    loss: Loss | None = Field(None, description="Loss; the experiment's if left out.")
    schedule: Literal["constant", "cosine", "one_cycle"] | None = Field(
        None, description="Learning-rate schedule; the experiment's if left out."
    )
    negatives: NegativesRule = Field(
        "real", description="Images without foreground in training: `none`, `real` (all), or a number of negatives per "
        "positive, re-drawn every epoch."
    )  # fmt: skip
    validation_negatives: NegativesRule = Field(
        "real", description="The same for the images that the epochs are judged on; a number is drawn once a fold."
    )

    @field_validator("negatives", "validation_negatives", mode="before")
    @classmethod
    def _known_rule(cls, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError("expected none, real, or a number of negatives per positive")
        if isinstance(value, str) and value not in ("none", "real"):
            raise UnknownNameError(value, ("none", "real", "a number per positive"))
        if not isinstance(value, str) and not 0 < value < 1e6:
            raise ValueError("a number of negatives per positive is above 0; for no negatives say none")
        return value


class Config(ClosedModel):
    """An experiment: what config.yaml says."""

    data: DataConfig = Field(description="Where the data lie.")
    architecture: Literal["Unet", "FPN", "Linknet", "PSPNet"] = Field(
        "Unet", description="Segmentation network of segmentation-models."
    )
    backbone: Backbone = Field("resnet34", description=f"Encoder of the network: {', '.join(BACKBONES)}.")
    encoder_weights: Literal["imagenet"] | FilePath | None = Field(
        "imagenet", union_mode="left_to_right",
        description="`imagenet` (downloaded once), `null` for random ones, or the path of a local .h5 file with the "
        "encoder's weights.",
    )  # fmt: skip
    shape: tuple[PositiveInteger, PositiveInteger, Literal[3]] = Field(
        (256, 256, 3),
        description="Input of the network: height, width, channels. Grey images are repeated to three channels. Sides "
        "are multiples of 32, of 48 for PSPNet.",
    )
    batch_norm_momentum: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.9, description="Share of the old value in the running statistics of batch normalisation, at each batch. "
        "Keras says 0.99, which needs some 500 batches before predictions can be trusted."
    )  # fmt: skip
    resize: Resize = Field("stretch", description="How images reach the shape: `stretch` both sides, or keep the "
                           "pixels and `pad` with mirrored ones (larger images are scaled down). Predictions are "
                           "brought back to each image's own size.")  # fmt: skip
    classes: Literal[1] = Field(1, description="Number of classes: 1, foreground against background.")
    activation: Literal["sigmoid"] = Field("sigmoid", description="What turns the network's logits into probabilities.")
    loss: Loss = Field(
        "binary_crossentropy",
        description="Sum of weighted terms, for example `binary_crossentropy+0.5*lovasz_loss`. Terms: "
        "binary_crossentropy, dice_loss, jaccard_loss, lovasz_loss.",
    )
    optimizer: Literal["Adam"] = Field("Adam", description="Optimizer.")
    lr: PositiveNumber = Field(1e-3, description="Learning rate.")
    schedule: Literal["constant", "cosine", "one_cycle"] = Field(
        "constant", description="Learning rate over the batches of a stage: `constant`, `cosine` down to zero, or "
        "`one_cycle` (up from a 25th over the first 30 %, then down to nearly zero)."
    )  # fmt: skip
    batch: PositiveInteger = Field(16, description="Images in a batch.")
    metrics: tuple[MetricName, ...] = Field(
        (), description="Further metrics to record every epoch, besides the primary one."
    )
    primary_metric: MetricName = Field(
        "dice", description="The competition's metric: chooses the best epoch, scores and tunes. One of dice, iou, "
        "salt_map, each computed per image and averaged over all images."
    )  # fmt: skip
    augmentation: Annotated[tuple[dict[str, Any], ...] | dict[str, Any], Field(union_mode="left_to_right")] = Field(
        default_factory=dict,
        description="Transforms of albumentations by name, applied in order: `HorizontalFlip: 0.5` gives the "
        "probability, `Affine: {scale: [0.9, 1.1], p: 0.5}` the parameters; a list of such pairs allows repeats.",
    )
    folds_count: Annotated[int, Field(ge=2)] = Field(5, description="Number of folds.")
    stratified: bool = Field(
        True, description="Spread images over the folds by foreground coverage, empty ones evenly; otherwise at random."
    )
    stages: Annotated[tuple[StageConfig, ...], Field(min_length=1)] = Field(
        description="Stages of each fold, run in order; each starts from the best weights of the one before."
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="Arithmetic of the network's convolutions: `bfloat16` is faster on processors that have "
        "it, and `auto` takes it there. Weights and metrics stay in float32."
    )  # fmt: skip
    stored_probability: StoredType = Field("uint8", description="How predictions are kept: 8 bits, or `float16`.")
    seed: Annotated[int, Field(ge=0, lt=2**31)] = Field(0, description="Every random draw derives from it.")

    @field_validator("shape")
    @classmethod
    def _sides_the_network_takes(cls, shape: tuple[int, int, int], info: ValidationInfo) -> tuple[int, int, int]:
        if "architecture" not in info.data:
            return shape
        architecture = info.data["architecture"]
        multiple = SIDE_MULTIPLES[architecture]
        if any(side % multiple for side in shape[:2]):
            larger = [-(-side // multiple) * multiple for side in shape[:2]]
            raise ValueError(
                f"{architecture} takes sides that are multiples of {multiple}, received {list(shape)}; the next "
                f"possible shape is {[*larger, shape[2]]}"
            )
        return shape

    @field_validator("augmentation")
    @classmethod
    def _pairs(cls, value: Any) -> Any:
        if isinstance(value, tuple) and any(len(pair) != 1 for pair in value):
            raise ValueError("each entry of the list must be one `Name: parameters` pair")
        return value


class EnsembleConfig(ClosedModel):
    """An ensemble: an experiment whose members are experiments."""

    members: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        description="Names of the experiments and ensembles, folders beside this one."
    )
    weights: tuple[PositiveNumber, ...] = Field(description="Weight of each member.")
    views: ViewsName = Field("none", description="Test-time augmentation of every member.")
    primary_metric: MetricName = Field(description="The competition's metric.")

    @field_validator("weights")
    @classmethod
    def _one_each(cls, weights: tuple[float, ...], info: ValidationInfo) -> tuple[float, ...]:
        members = info.data.get("members", weights)
        if len(weights) != len(members):
            raise ValueError(f"expected {len(members)} weights, one for each member, received {len(weights)}")
        return weights
