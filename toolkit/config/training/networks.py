"""The networks of config.yaml: encoders, the input shapes of architectures, and what a network is built from."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from toolkit.config.keras.backbones import (
    BACKBONES,
    WITHOUT_DILATION,
    WITHOUT_HALF,
    EncoderScaling,
    FirstConvolution,
    Published,
    check_published,
)
from toolkit.config.training.architectures import ARCHITECTURES, ArchitectureOptions, DeepSupervision
from toolkit.config.yaml.closed_model import ClosedModel
from toolkit.config.yaml.fields import PositiveInteger, Shape, ShareBelowOne
from toolkit.config.yaml.named_calls import Call, UnknownNameError, checked_arguments, is_plugin
from toolkit.config.yaml.plugin_names import names_of_kind


def parse_architecture(
    name: str, options: Mapping[str, Any], plugins: Collection[str] = ()
) -> ArchitectureOptions | None:
    """Check the name and options of an architecture; None for a plugin, whose options are checked when it is built.

    Raises:
        UnknownNameError: the architecture is unknown.
        ProblemsAtError: an option is unknown or invalid; the paths begin at `options`.
    """
    if name in ARCHITECTURES:
        return checked_arguments(Call(name, options), ARCHITECTURES[name])
    if is_plugin(name, plugins):
        return None
    raise UnknownNameError(name, [*ARCHITECTURES, *names_of_kind("architecture", plugins)])


def deep_supervision_of(name: str, options: Mapping[str, Any], plugins: Collection[str] = ()) -> DeepSupervision | None:
    """How the coarser masks of an architecture with these options count in the loss; None if it has none."""
    parsed = parse_architecture(name, options, plugins)
    return None if parsed is None else parsed.deep_supervision


def has_backbone(architecture: str) -> bool:
    """Whether an architecture is built on an encoder of segmentation-models; False for plugins."""
    return architecture in ARCHITECTURES and ARCHITECTURES[architecture].has_backbone


def check_backbone(architecture: str, backbone: str | None) -> None:
    """Check that an architecture can be built on an encoder.

    Raises:
        ValueError: the architecture needs features that the encoder does not have, or an encoder at all.
    """
    if not has_backbone(architecture):
        return
    if backbone is None:
        raise ValueError(f"{architecture} requires a backbone, received null; ModularUnet has none")
    reason = _lacking(architecture, backbone)
    if reason is not None:
        possible = [name for name, it in ARCHITECTURES.items() if it.has_backbone and _lacking(name, backbone) is None]
        raise ValueError(f"{architecture} {reason}; use {backbone} with {', '.join(possible)}")


def _lacking(architecture: str, backbone: str) -> str | None:
    """What an architecture needs that the encoder does not have; None if it can be built on it."""
    if ARCHITECTURES[architecture].needs_half and backbone in WITHOUT_HALF:
        return f"needs features with half of the input's sides, and {backbone} begins with a quarter"
    if ARCHITECTURES[architecture].dilates and backbone in WITHOUT_DILATION:
        return f"turns strides of the encoder into dilations, which the attention of {backbone} does not allow"
    return None


def check_shape(architecture: str, options: ArchitectureOptions | None, shape: tuple[int, int, int]) -> None:
    """Check the sides of an input `(height, width, channels)`.

    Raises:
        ValueError: a side is not a multiple of what the architecture requires.
    """
    multiple = 1 if options is None else options.side_multiple
    if any(side % multiple for side in shape[:2]):
        larger = [-(-side // multiple) * multiple for side in shape[:2]]
        raise ValueError(
            f"{architecture} requires sides that are multiples of {multiple}, received {list(shape)}; the next larger "
            f"shape is {[*larger, shape[2]]}"
        )


class NetworkSpec(ClosedModel):
    """Everything that a network is built from.

    Without a backbone (ModularUnet), backbone and encoder_weights, which a configuration has by default, are set to
    None.
    """

    architecture: str = Field(default="Unet", description="Name of an architecture, or of a function of plugins.py.")
    options: Mapping[str, Any] = Field(default_factory=dict, description="Options of the architecture, as written.")
    backbone: str | None = Field(default="resnet34", description="Encoder.")
    encoder_weights: Published | Path | None = Field(
        default=None, description="Weights of the encoder: those of imagenet, those of a file, or random ones (None)."
    )
    shape: Shape = Field(description="Input of the network: height, width, channels.")
    classes: PositiveInteger = Field(default=1, description="Number of classes, which are the channels of the output.")
    batch_norm_momentum: ShareBelowOne = Field(
        default=0.9,
        description="Share of the old value in the running statistics of batch normalisation, at each batch.",
    )
    first_convolution: FirstConvolution = Field(
        default="mean",
        description="How the first convolution of a pretrained encoder is adapted to another number of channels "
        "than 3: each channel gets the `mean` of the three kernels, a `copy` of one of them in turn, "
        "or the first three keep theirs and further ones start at `zero`.",
    )
    encoder_scaling: EncoderScaling | None = Field(
        default=None, description="How colours were scaled for the weights of the encoder; None: as is usual for it."
    )
    presence_head: bool = Field(
        default=False,
        description="Whether the network has a second output: the probability that each class occurs in the image.",
    )

    @model_validator(mode="before")
    @classmethod
    def _without_backbone(cls, values: Any) -> Any:
        name = values.get("architecture") if isinstance(values, Mapping) else None
        if isinstance(name, str) and name in ARCHITECTURES and not has_backbone(name):
            return {**values, "backbone": None, "encoder_weights": None}
        return values

    @model_validator(mode="after")
    def _with_backbone(self) -> "NetworkSpec":
        if has_backbone(self.architecture) and self.backbone not in BACKBONES:
            raise UnknownNameError(str(self.backbone), BACKBONES)
        check_backbone(self.architecture, self.backbone)
        if has_backbone(self.architecture):
            check_published(str(self.backbone), self.encoder_weights)
        return self
