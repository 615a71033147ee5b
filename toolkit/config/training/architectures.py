"""The architectures of config.yaml and their options."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from toolkit.config.yaml.closed_model import ClosedModel
from toolkit.config.yaml.fields import (
    Filters,
    KernelSize,
    PositiveInteger,
    PositiveNumber,
    Repeats,
    Share,
    ShareBelowOne,
    Side,
)

LayerName = Annotated[str, Field(min_length=1)]


class DeepSupervision(ClosedModel):
    """How the masks of the coarser levels of a decoder count in the loss (Lee et al. 2015, arXiv:1409.5185)."""

    weight: PositiveNumber = Field(
        default=0.5, description="Weight of the finest of the coarser masks; the network's own mask has weight 1."
    )
    decay: Annotated[Share, Field(gt=0)] = Field(
        default=0.5, description="Factor from the weight of each coarser mask to that of the next; 1 for equal weights."
    )
    images: Literal["all", "positives"] = Field(
        default="all",
        description="Images whose coarser masks count: `all`, or only `positives`, those with foreground.",
    )

    def shares(self, coarser: int) -> list[float]:
        """The share of each mask in the loss, the network's own first; they sum to 1."""
        weights = [1.0, *(self.weight * self.decay**number for number in range(coarser))]
        return [weight / sum(weights) for weight in weights]


def _switched(value: Any) -> Any:
    return DeepSupervision() if value is True else None if value is False else value


class ArchitectureOptions(ClosedModel):
    """Options of an architecture, and what is known about it before it is built.

    `builder` names a module and a function of `toolkit.learning.networks.decoders` (`deeplab.deeplab`); see
    `toolkit.learning.networks.backbones.encoders.Builder`.
    """

    builder: ClassVar[str]
    has_backbone: ClassVar[bool] = True
    needs_half: ClassVar[bool] = False
    """Whether it uses encoder features with half of the input's sides."""
    dilates: ClassVar[bool] = False
    """Whether it makes dilations of the encoder's later strides."""
    refused: ClassVar[Mapping[str, str]] = {}
    """Values of the options below, or the options themselves, that the architecture does not have, and why."""

    decoder_attention: Literal["none", "scse", "gate"] = Field(
        default="none",
        description="Attention in the decoder: `scse` (concurrent spatial and channel squeeze-and-excitation after "
        "each block) or `gate` (attention gates on the skip connections).",
    )
    head: Literal["plain", "hypercolumn"] = Field(
        default="plain",
        description="What the last convolution sees: the finest level of the decoder (`plain`), or all levels, "
        "enlarged and concatenated (`hypercolumn`).",
    )
    deep_supervision: Annotated[DeepSupervision | None, BeforeValidator(_switched)] = Field(
        default=None,
        description="Whether the coarser levels of the decoder predict masks too, each with a share in the loss: "
        "`true`, or `{weight: 0.5, decay: 0.5, images: all}`.",
    )

    @property
    def side_multiple(self) -> int:
        """Number that both sides of the input must be multiples of."""
        return 32

    @field_validator("decoder_attention", "head", "deep_supervision")
    @classmethod
    def _possible(cls, value: Any, info: ValidationInfo) -> Any:
        option = value if isinstance(value, str) else str(info.field_name)
        if value is not None and option in cls.refused:
            raise ValueError(cls.refused[option])
        return value


class UnetOptions(ArchitectureOptions):
    """Options of Unet (Ronneberger et al. 2015, arXiv:1505.04597) on an encoder."""

    builder: ClassVar[str] = "unet.unet"

    decoder_block_type: Literal["upsampling", "transpose"] = Field(
        "upsampling",
        description="How the decoder doubles the resolution: `upsampling` (nearest neighbour) or `transpose` (a "
        "transposed convolution).",
    )
    decoder_filters: tuple[Filters, Filters, Filters, Filters, Filters] = Field(
        (256, 128, 64, 32, 16), description="Filters of the five decoder blocks, the deepest first."
    )
    decoder_use_batchnorm: bool = Field(True, description="Whether batch normalisation follows each convolution.")


class UnetPlusPlusOptions(ArchitectureOptions):
    """Options of U-Net++ (Zhou et al. 2018, arXiv:1807.10165) on an encoder."""

    builder: ClassVar[str] = "unet_plus_plus.unet_plus_plus"
    needs_half: ClassVar[bool] = True

    decoder_filters: tuple[Filters, Filters, Filters, Filters, Filters] = Field(
        (256, 128, 64, 32, 16),
        description="Filters of the five blocks that lead to the mask, the deepest first. The blocks between them and "
        "the encoder have as many as the encoder features of their size.",
    )
    decoder_use_batchnorm: bool = Field(True, description="Whether batch normalisation follows each convolution.")


class MAnetOptions(ArchitectureOptions):
    """Options of MA-Net (Fan et al. 2020, doi:10.1109/ACCESS.2020.3025372) on an encoder."""

    builder: ClassVar[str] = "manet.manet"
    refused: ClassVar[Mapping[str, str]] = {"gate": "MAnet weighs its skip connections by itself; use scse or none"}

    decoder_filters: tuple[Filters, Filters, Filters, Filters, Filters] = Field(
        (256, 128, 64, 32, 16), description="Filters of the five decoder blocks, the deepest first."
    )
    decoder_use_batchnorm: bool = Field(True, description="Whether batch normalisation follows each convolution.")
    attention_filters: Filters = Field(
        64, description="Filters of the features whose products are the attention between positions."
    )
    reduction: PositiveInteger = Field(
        16, description="Factor by which channels are reduced where the attention over channels is computed."
    )


class LinknetOptions(ArchitectureOptions):
    """Options of Linknet (Chaurasia and Culurciello 2017, arXiv:1707.03718) on an encoder."""

    builder: ClassVar[str] = "linknet.linknet"
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

    builder: ClassVar[str] = "fpn.fpn"
    needs_half: ClassVar[bool] = True
    refused: ClassVar[Mapping[str, str]] = {
        "hypercolumn": "FPN combines all its levels already; see pyramid_aggregation"
    }

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

    builder: ClassVar[str] = "pspnet.pspnet"
    refused: ClassVar[Mapping[str, str]] = {
        "gate": "PSPNet has no skip connections that a gate could weigh; use scse",
        "hypercolumn": "the decoder of PSPNet has a single level",
        "deep_supervision": "the decoder of PSPNet has a single level",
    }

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
    dilates: ClassVar[bool] = True
    refused: ClassVar[Mapping[str, str]] = {
        "hypercolumn": "the decoder of DeepLabV3Plus has a single level",
        "deep_supervision": "the decoder of DeepLabV3Plus has a single level",
    }

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
    refused: ClassVar[Mapping[str, str]] = {
        "gate": "the decoder of Segformer has no coarser level that could weigh a skip connection; use scse",
        "hypercolumn": "the decoder of Segformer concatenates all its levels already",
    }

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
    "UnetPlusPlus": UnetPlusPlusOptions,
    "MAnet": MAnetOptions,
}
"""Options by architecture, which name its builder; DeepLabV3 is another name of DeepLabV3Plus."""
