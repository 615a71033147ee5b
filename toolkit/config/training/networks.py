"""The networks of config.yaml: architectures, their options, and the input shapes they accept."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from toolkit.config.keras.encoders import (
    BACKBONES,
    WITHOUT_HALF,
    EncoderScaling,
    FirstConvolution,
    Published,
    check_published,
)
from toolkit.config.yaml.closed_model import ClosedModel
from toolkit.config.yaml.fields import Filters, KernelSize, PositiveInteger, Repeats, Shape, ShareBelowOne, Side
from toolkit.config.yaml.named_calls import Call, UnknownNameError, checked_arguments, is_plugin
from toolkit.config.yaml.plugin_names import names_of_kind

LayerName = Annotated[str, Field(min_length=1)]


class ArchitectureOptions(ClosedModel):
    """Options of an architecture, and what is known about it before it is built.

    `builder` names a function of segmentation-models (`segmentation_models.Unet`), or a module and function of
    `toolkit.learning.networks` (`deeplab.deeplab`); see `toolkit.learning.networks.registry.Builder`.
    """

    builder: ClassVar[str]
    has_backbone: ClassVar[bool] = True
    needs_half: ClassVar[bool] = False
    """Whether it uses encoder features with half of the input's sides."""

    @property
    def side_multiple(self) -> int:
        """Number that both sides of the input must be multiples of."""
        return 32


class UnetOptions(ArchitectureOptions):
    """Options of Unet (Ronneberger et al. 2015, arXiv:1505.04597) on an encoder."""

    builder: ClassVar[str] = "segmentation_models.Unet"

    decoder_block_type: Literal["upsampling", "transpose"] = Field(
        "upsampling",
        description="How the decoder doubles the resolution: `upsampling` (nearest neighbour) or `transpose` (a "
        "transposed convolution).",
    )
    decoder_filters: tuple[Filters, Filters, Filters, Filters, Filters] = Field(
        (256, 128, 64, 32, 16), description="Filters of the five decoder blocks, the deepest first."
    )
    decoder_use_batchnorm: bool = Field(True, description="Whether batch normalisation follows each convolution.")


class LinknetOptions(ArchitectureOptions):
    """Options of Linknet (Chaurasia and Culurciello 2017, arXiv:1707.03718) on an encoder."""

    builder: ClassVar[str] = "segmentation_models.Linknet"
    needs_half: ClassVar[bool] = True

    decoder_block_type: Literal["upsampling", "transpose"] = Field(
        "upsampling",
        description="How the decoder doubles the resolution: `upsampling` (nearest neighbour) or `transpose` (a "
        "transposed convolution).",
    )
    decoder_filters: tuple[None, None, None, None, Filters] = Field(
        (None, None, None, None, 16),
        description="Filters of the five decoder blocks, the deepest first. The first four must be null: they "
        "have as many filters as the encoder features that are added to them.",
    )
    decoder_use_batchnorm: bool = Field(True, description="Whether batch normalisation follows each convolution.")


class FPNOptions(ArchitectureOptions):
    """Options of FPN (Kirillov et al. 2019, Panoptic Feature Pyramid Networks, arXiv:1901.02446) on an encoder."""

    builder: ClassVar[str] = "segmentation_models.FPN"
    needs_half: ClassVar[bool] = True

    pyramid_block_filters: Annotated[int, Field(ge=2, le=16_384)] = Field(
        256, description="Filters of the pyramid; the convolutions after it have half as many."
    )
    pyramid_use_batchnorm: bool = Field(True, description="Whether batch normalisation follows each convolution.")
    pyramid_aggregation: Literal["sum", "concat"] = Field(
        "concat", description="How the levels of the pyramid are combined."
    )
    pyramid_dropout: ShareBelowOne | None = Field(
        None, description="Share of the pyramid's channels that are dropped in training."
    )


class PSPNetOptions(ArchitectureOptions):
    """Options of PSPNet (Zhao et al. 2017, arXiv:1612.01105) on an encoder."""

    builder: ClassVar[str] = "segmentation_models.PSPNet"

    downsample_factor: Literal[4, 8, 16] = Field(
        8,
        description="Downsampling of the encoder features that are used. The sides of `shape` must be multiples "
        "of six times this number.",
    )
    psp_conv_filters: Filters = Field(512, description="Filters of each pyramid level.")
    psp_pooling_type: Literal["avg", "max"] = Field("avg", description="Pooling of the pyramid levels.")
    psp_use_batchnorm: bool = Field(True, description="Whether batch normalisation follows each convolution.")
    psp_dropout: ShareBelowOne | None = Field(
        None, description="Share of the channels before the head that are dropped in training."
    )

    @property
    def side_multiple(self) -> int:
        """Number that both sides of the input must be multiples of."""
        return 6 * self.downsample_factor


class DeepLabV3PlusOptions(ArchitectureOptions):
    """Options of DeepLabV3+ (Chen et al. 2018, arXiv:1802.02611) on an encoder."""

    builder: ClassVar[str] = "deeplab.deeplab"

    output_stride: Literal[8, 16] = Field(
        16,
        description="Downsampling of the last encoder features; later strides of the encoder become dilations. 8 "
        "is finer and takes several times the time and memory.",
    )
    atrous_rates: Annotated[tuple[Side, ...], Field(min_length=1)] | None = Field(
        None,
        description="Dilation rates of the 3×3 convolutions of the atrous spatial pyramid pooling; `null` means "
        "[6, 12, 18], or [12, 24, 36] with output stride 8.",
    )
    aspp_filters: Filters = Field(256, description="Filters of each branch of the pyramid pooling.")
    low_level_filters: Filters = Field(
        48, description="Filters to which the encoder features at a quarter of the resolution are reduced."
    )
    decoder_filters: Filters = Field(256, description="Filters of the two convolutions of the decoder.")
    dropout: ShareBelowOne = Field(
        0.1, description="Share of the values after the pyramid pooling that are dropped in training."
    )

    @property
    def side_multiple(self) -> int:
        """Number that both sides of the input must be multiples of."""
        return self.output_stride


class SegformerOptions(ArchitectureOptions):
    """Options of the decoder of SegFormer (Xie et al. 2021, arXiv:2105.15203) on an encoder."""

    builder: ClassVar[str] = "segformer.segformer"

    decoder_filters: Filters = Field(
        256,
        description="Filters to which the features of each of the four levels are brought. The authors take 256 with "
        "mitb0 and mitb1, and 768 with larger encoders.",
    )
    dropout: ShareBelowOne = Field(
        0.1, description="Share of the channels before the last layer that are dropped in training."
    )


class ResidualUnitOptions(ClosedModel):
    """Residual convolution units (RCU) of RefineNet."""

    units: Repeats = Field(default=2, description="Residual units on each input of a block.")
    kernel_size: KernelSize = Field(default=3, description="Side of the kernels.")
    batch_norm: bool = Field(
        default=False, description="Whether batch normalisation precedes each ReLU. The paper has none."
    )


class FusionOptions(ClosedModel):
    """Multi-resolution fusion (MRF) of RefineNet."""

    kernel_size: KernelSize = Field(default=3, description="Side of the kernels.")
    interpolation: Literal["bilinear", "nearest"] = Field(
        default="bilinear", description="How coarse features are resized to the finest resolution of the block."
    )


class PoolingOptions(ClosedModel):
    """Chained residual pooling (CRP) of RefineNet."""

    pools: Repeats = Field(default=2, description="Pooling layers in the chain.")
    pool_size: KernelSize = Field(default=5, description="Side of the pooling windows.")
    kernel_size: KernelSize = Field(default=3, description="Side of the kernels.")


RefineNetBlocks = Annotated[
    tuple[Annotated[tuple[LayerName, ...], Field(min_length=1)], ...], Field(min_length=1)
]  # fmt: skip


class RefineNetOptions(ArchitectureOptions):
    """Options of RefineNet (Lin et al. 2017, arXiv:1611.06612) on an encoder."""

    builder: ClassVar[str] = "refinenet.refinenet"

    refine_net_blocks: RefineNetBlocks | None = Field(
        None,
        description="Layers of the backbone that each block refines, the deepest block first; each further block "
        "also takes the output of the one before. `null` means four blocks, for the features "
        "downsampled by 32, 16, 8 and 4. With the ResNets, Keras's layer names (conv5_block3_out) are "
        "accepted too.",
    )
    reduce_channel_scale: PositiveInteger = Field(
        4,
        description="Factor by which the channels of the features are reduced before they are refined; at least "
        "32 channels remain.",
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
    dropout: ShareBelowOne = Field(0.0, description="Share of the values before the head that are dropped in training.")


class ModularUnetOptions(ArchitectureOptions):
    """Options of a plain U-Net without a backbone (Ronneberger et al. 2015, arXiv:1505.04597)."""

    builder: ClassVar[str] = "modular_unet.modular_unet"
    has_backbone: ClassVar[bool] = False

    depth: Annotated[int, Field(ge=1, le=8)] = Field(
        4,
        description="Number of times that the resolution is halved. The sides of `shape` must be multiples of 2 "
        "to the power of this number.",
    )
    convolutions: Repeats = Field(2, description="3×3 convolutions of each level of the encoder and the decoder.")
    block: Literal["standard", "residual"] = Field(
        "standard",
        description="Plain convolutions (`standard`), or with a shortcut around them (`residual`, He et al. 2016).",
    )
    normalisation: Literal["batch", "group", "layer", "instance", "none"] = Field(
        "batch",
        description="Normalisation after each convolution: over the batch, over groups of channels, over the "
        "whole image, over each channel of an image, or none. All but `batch` suit small batches.",
    )
    activation: Literal["relu", "leaky_relu", "elu", "swish"] = Field(
        "relu", description="Activation after each convolution."
    )
    dropout: ShareBelowOne = Field(
        0.0, description="Share of the values after the first convolution of each level that are dropped in training."
    )
    dilation: Side | tuple[Side, ...] = Field(
        1,
        description="Dilation of the convolutions: one number for all levels, or a list of depth + 1 numbers, the "
        "finest level first.",
    )
    start_filters: Filters = Field(32, description="Filters of the finest level; each further level has twice as many.")
    upsampling: Literal["transpose", "nearest", "bilinear"] = Field(
        "transpose",
        description="How the resolution is doubled: a transposed convolution (`transpose`), or interpolation and "
        "a 2×2 convolution.",
    )
    deep_supervision: bool = Field(
        False, description="Whether the coarser levels of the decoder predict masks too, each with a term in the loss."
    )

    @property
    def side_multiple(self) -> int:
        """Number that both sides of the input must be multiples of."""
        return int(2**self.depth)

    @field_validator("dilation")
    @classmethod
    def _one_for_each_level(cls, dilation: int | tuple[int, ...], info: ValidationInfo) -> int | tuple[int, ...]:
        depth = info.data.get("depth")
        if isinstance(dilation, tuple) and depth is not None and len(dilation) != depth + 1:
            raise ValueError(f"expected {depth + 1} numbers (depth + 1), one for each level, received {len(dilation)}")
        return dilation


ARCHITECTURES: dict[str, type[ArchitectureOptions]] = {
    "Unet": UnetOptions,
    "FPN": FPNOptions,
    "Linknet": LinknetOptions,
    "PSPNet": PSPNetOptions,
    "DeepLabV3Plus": DeepLabV3PlusOptions,
    "DeepLabV3": DeepLabV3PlusOptions,
    "RefineNet": RefineNetOptions,
    "Segformer": SegformerOptions,
    "ModularUnet": ModularUnetOptions,
}
"""Options by architecture, which name its builder; DeepLabV3 is another name of DeepLabV3Plus."""


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
    if ARCHITECTURES[architecture].needs_half and backbone in WITHOUT_HALF:
        possible = [name for name, it in ARCHITECTURES.items() if it.has_backbone and not it.needs_half]
        raise ValueError(
            f"{architecture} needs features with half of the input's sides, and {backbone} begins with a quarter; use "
            f"{backbone} with {', '.join(possible)}"
        )


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
