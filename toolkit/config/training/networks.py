"""What config.yaml may say about the network: architectures, their options, and the shapes they take."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from toolkit.config.yaml.fields import PositiveInteger, Shape, ShareBelowOne
from toolkit.config.yaml.named_calls import Call, ClosedModel, UnknownNameError, checked_arguments, is_plugin

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

LayerName = Annotated[str, Field(min_length=1)]
FirstConvolution = Literal["mean", "copy", "zero"]


class UnetOptions(ClosedModel):
    """Options of Unet (Ronneberger et al. 2015, arXiv:1505.04597) on an encoder."""

    decoder_block_type: Literal["upsampling", "transpose"] = Field(
        "upsampling", description="How the decoder doubles the sides: nearest neighbours, or a transposed convolution."
    )
    decoder_filters: tuple[PositiveInteger, PositiveInteger, PositiveInteger, PositiveInteger, PositiveInteger] = Field(
        (256, 128, 64, 32, 16), description="Filters of the five decoder blocks, the deepest first."
    )
    decoder_use_batchnorm: bool = Field(True, description="Whether batch normalisation follows each convolution.")


class LinknetOptions(ClosedModel):
    """Options of Linknet (Chaurasia and Culurciello 2017, arXiv:1707.03718) on an encoder."""

    decoder_block_type: Literal["upsampling", "transpose"] = Field(
        "upsampling", description="How the decoder doubles the sides: nearest neighbours, or a transposed convolution."
    )
    decoder_filters: tuple[None, None, None, None, PositiveInteger] = Field(
        (None, None, None, None, 16), description="Filters of the five decoder blocks, the deepest first. The first "
        "four are null: they have as many as the encoder's features that are added to them."
    )  # fmt: skip
    decoder_use_batchnorm: bool = Field(True, description="Whether batch normalisation follows each convolution.")


class FPNOptions(ClosedModel):
    """Options of FPN (Kirillov et al. 2019, Panoptic Feature Pyramid Networks, arXiv:1901.02446) on an encoder."""

    pyramid_block_filters: Annotated[int, Field(ge=2)] = Field(
        256, description="Filters of the pyramid; half of them in the convolutions behind it."
    )
    pyramid_use_batchnorm: bool = Field(True, description="Whether batch normalisation follows each convolution.")
    pyramid_aggregation: Literal["sum", "concat"] = Field("concat", description="How the levels come together.")
    pyramid_dropout: ShareBelowOne | None = Field(
        None, description="Share of the pyramid's channels that a batch drops."
    )


class PSPNetOptions(ClosedModel):
    """Options of PSPNet (Zhao et al. 2017, arXiv:1612.01105) on an encoder."""

    downsample_factor: Literal[4, 8, 16] = Field(
        8, description="Where the encoder is cut off: its features have sides that many times smaller. Sides of the "
        "shape are multiples of six times this."
    )  # fmt: skip
    psp_conv_filters: PositiveInteger = Field(512, description="Filters of each pyramid level.")
    psp_pooling_type: Literal["avg", "max"] = Field("avg", description="How the levels pool.")
    psp_use_batchnorm: bool = Field(True, description="Whether batch normalisation follows each convolution.")
    psp_dropout: ShareBelowOne | None = Field(
        None, description="Share of the channels before the head that a batch drops."
    )


class DeepLabV3PlusOptions(ClosedModel):
    """Options of DeepLabV3+ (Chen et al. 2018, arXiv:1802.02611) on an encoder."""

    output_stride: Literal[8, 16] = Field(
        16, description="How many times smaller the encoder's last features are: its later strides become dilations. "
        "8 is finer and takes several times the time and memory."
    )  # fmt: skip
    atrous_rates: Annotated[tuple[PositiveInteger, ...], Field(min_length=1)] | None = Field(
        None, description="Rates of the dilated 3×3 convolutions of the atrous spatial pyramid pooling; "
        "`null` is [6, 12, 18], and [12, 24, 36] for output stride 8."
    )  # fmt: skip
    aspp_filters: PositiveInteger = Field(256, description="Filters of each branch of the pyramid pooling.")
    low_level_filters: PositiveInteger = Field(
        48, description="Filters to which the encoder's features at a quarter of the sides are reduced."
    )
    decoder_filters: PositiveInteger = Field(256, description="Filters of the two convolutions of the decoder.")
    dropout: ShareBelowOne = Field(
        0.1, description="Share of the values that a batch drops behind the pyramid pooling."
    )


class ResidualUnitOptions(ClosedModel):
    """Residual convolution units (RCU) of RefineNet."""

    units: PositiveInteger = Field(default=2, description="Residual units on each input of a block.")
    kernel_size: PositiveInteger = Field(default=3, description="Side of their kernels.")
    batch_norm: bool = Field(
        default=False, description="Whether batch normalisation comes before each ReLU; the paper has none."
    )


class FusionOptions(ClosedModel):
    """Multi-resolution fusion (MRF) of RefineNet."""

    kernel_size: PositiveInteger = Field(default=3, description="Side of the kernels.")
    interpolation: Literal["bilinear", "nearest"] = Field(
        default="bilinear", description="How coarse features are brought to the finest resolution of the block."
    )


class PoolingOptions(ClosedModel):
    """Chained residual pooling (CRP) of RefineNet."""

    pools: PositiveInteger = Field(default=2, description="Poolings in the chain.")
    pool_size: PositiveInteger = Field(default=5, description="Side of the pooling windows.")
    kernel_size: PositiveInteger = Field(default=3, description="Side of the kernels.")


RefineNetBlocks = Annotated[
    tuple[Annotated[tuple[LayerName, ...], Field(min_length=1)], ...], Field(min_length=1)
]  # fmt: skip


class RefineNetOptions(ClosedModel):
    """Options of RefineNet (Lin et al. 2017, arXiv:1611.06612) on an encoder."""

    refine_net_blocks: RefineNetBlocks | None = Field(
        None, description="Layers of the backbone that each block refines, the deepest block first; each block takes "
        "the one before as a further input. `null`: four blocks, one for each of the features with sides 32, 16, 8 "
        "and 4 times smaller. The ResNets also know the names of Keras, such as conv5_block3_out."
    )  # fmt: skip
    reduce_channel_scale: PositiveInteger = Field(
        4, description="By how much the channels of the features are divided before they are refined, 32 at least."
    )
    rcu_kwargs: ResidualUnitOptions = Field(
        default_factory=ResidualUnitOptions, description="Options of the residual convolution units."
    )
    mrf_kwargs: FusionOptions = Field(
        default_factory=FusionOptions, description="Options of the multi-resolution fusion."
    )
    crp_kwargs: PoolingOptions = Field(
        default_factory=PoolingOptions, description="Options of the chained residual pooling."
    )
    dropout: ShareBelowOne = Field(0.0, description="Share of the values that a batch drops before the head.")


class ModularUnetOptions(ClosedModel):
    """Options of a plain U-Net without a backbone (Ronneberger et al. 2015, arXiv:1505.04597)."""

    depth: Annotated[int, Field(ge=1, le=8)] = Field(
        4, description="How often the sides are halved; they are multiples of 2 to the power of this."
    )
    convolutions: PositiveInteger = Field(2, description="3×3 convolutions of each level, on the way down and up.")
    block: Literal["standard", "residual"] = Field(
        "standard", description="Convolutions in a row, or with a sum around them (He et al. 2016)."
    )
    normalisation: Literal["batch", "group", "layer", "instance", "none"] = Field(
        "batch", description="What follows each convolution: over the batch, over groups of channels, over all of an "
        "image, over each channel of an image, or nothing. All but `batch` do not mind small batches."
    )  # fmt: skip
    activation: Literal["relu", "leaky_relu", "elu", "swish"] = Field("relu", description="Activation.")
    dropout: ShareBelowOne = Field(
        0.0, description="Share of the values that a batch drops behind the first convolution of each level."
    )
    dilation: PositiveInteger | tuple[PositiveInteger, ...] = Field(
        1, description="Dilation of the convolutions: one for all levels, or a list of depth + 1, the finest first."
    )
    start_filters: PositiveInteger = Field(32, description="Filters of the finest level; each further one has twice.")
    upsampling: Literal["transpose", "nearest", "bilinear"] = Field(
        "transpose", description="How the sides are doubled: a transposed convolution, or interpolation and a 2×2 "
        "convolution."
    )  # fmt: skip
    deep_supervision: bool = Field(
        False, description="Whether the coarser levels of the decoder give masks too, for a loss with a term on them."
    )

    @field_validator("dilation")
    @classmethod
    def _one_for_each_level(cls, dilation: int | tuple[int, ...], info: ValidationInfo) -> int | tuple[int, ...]:
        depth = info.data.get("depth")
        if isinstance(dilation, tuple) and depth is not None and len(dilation) != depth + 1:
            raise ValueError(f"expected {depth + 1} numbers, one for each level, received {len(dilation)}")
        return dilation


ArchitectureOptions = (
    UnetOptions
    | FPNOptions
    | LinknetOptions
    | PSPNetOptions
    | DeepLabV3PlusOptions
    | RefineNetOptions
    | ModularUnetOptions
)

ARCHITECTURES: dict[str, type[ArchitectureOptions]] = {
    "Unet": UnetOptions,
    "FPN": FPNOptions,
    "Linknet": LinknetOptions,
    "PSPNet": PSPNetOptions,
    "DeepLabV3Plus": DeepLabV3PlusOptions,
    "DeepLabV3": DeepLabV3PlusOptions,
    "RefineNet": RefineNetOptions,
    "ModularUnet": ModularUnetOptions,
}
"""Options by architecture; DeepLabV3 is another name of DeepLabV3Plus."""

SIDE_MULTIPLES = {
    "Unet": 32,
    "FPN": 32,
    "Linknet": 32,
    "PSPNet": 48,
    "DeepLabV3Plus": 16,
    "DeepLabV3": 16,
    "RefineNet": 32,
    "ModularUnet": 16,
}
"""What both sides of the input must be a multiple of, by architecture with its default options."""


def parse_architecture(
    name: str, options: Mapping[str, Any], plugins: Collection[str] = ()
) -> ArchitectureOptions | None:
    """Check an architecture's name and options; None for the user's own, whose options nobody here knows.

    Raises:
        UnknownNameError: there is no such architecture.
        ProblemsAtError: an option is unknown or wrong; the paths begin at `options`.
    """
    if name in ARCHITECTURES:
        return checked_arguments(Call(name, options), ARCHITECTURES[name])
    if is_plugin(name, plugins):
        return None
    raise UnknownNameError(name, [*ARCHITECTURES, *plugins])


def has_backbone(architecture: str) -> bool:
    """Whether an architecture is built on an encoder of segmentation-models; False for the user's own."""
    return architecture in ARCHITECTURES and architecture != "ModularUnet"


def side_multiple(architecture: str, options: ArchitectureOptions | None) -> int:
    """What both sides of the input must be a multiple of; 1 for the user's own architectures."""
    if isinstance(options, PSPNetOptions):
        return 6 * options.downsample_factor
    if isinstance(options, DeepLabV3PlusOptions):
        return options.output_stride
    if isinstance(options, ModularUnetOptions):
        return int(2**options.depth)
    return SIDE_MULTIPLES.get(architecture, 1)


def check_shape(architecture: str, options: ArchitectureOptions | None, shape: tuple[int, int, int]) -> None:
    """Check the sides of an input `(height, width, channels)`.

    Raises:
        ValueError: they are no multiples of what the architecture wants; says the next possible shape.
    """
    multiple = side_multiple(architecture, options)
    if any(side % multiple for side in shape[:2]):
        larger = [-(-side // multiple) * multiple for side in shape[:2]]
        raise ValueError(
            f"{architecture} takes sides that are multiples of {multiple}, received {list(shape)}; the next "
            f"possible shape is {[*larger, shape[2]]}"
        )


class NetworkSpec(ClosedModel):
    """All that a network is built from.

    A network without a backbone has neither backbone nor encoder_weights: they are dropped here, because a
    configuration has both by default.
    """

    architecture: str = Field(default="Unet", description="Name of an architecture, or of the user's own function.")
    options: Mapping[str, Any] = Field(default_factory=dict, description="Options of the architecture, as written.")
    backbone: str | None = Field(default="resnet34", description="Encoder.")
    encoder_weights: Literal["imagenet", "pascal_voc"] | Path | None = Field(
        default=None, description="Weights of the encoder: those of imagenet, a file's, or random ones."
    )
    shape: Shape = Field(description="Input of the network: height, width, channels.")
    classes: PositiveInteger = Field(default=1, description="Number of classes: channels of the output.")
    batch_norm_momentum: ShareBelowOne = Field(
        default=0.9,
        description="Share of the old value in the running statistics of batch normalisation, at each batch.",
    )
    first_convolution: FirstConvolution = Field(
        default="mean", description="How the first convolution of a pretrained encoder is adapted to another number of "
        "channels than 3: each gets the `mean` of the three kernels, a `copy` of one in turn, or the first three keep "
        "theirs and further ones begin at `zero`."
    )  # fmt: skip
    presence_head: bool = Field(
        default=False,
        description="Whether the network also says, from its deepest features, which classes occur at all.",
    )

    @model_validator(mode="before")
    @classmethod
    def _without_backbone(cls, values: Any) -> Any:
        if isinstance(values, Mapping) and values.get("architecture") == "ModularUnet":
            return {**values, "backbone": None, "encoder_weights": None}
        return values

    @model_validator(mode="after")
    def _with_backbone(self) -> "NetworkSpec":
        if has_backbone(self.architecture) and self.backbone not in BACKBONES:
            raise UnknownNameError(str(self.backbone), BACKBONES)
        return self
