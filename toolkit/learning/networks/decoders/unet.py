"""U-Net on an encoder."""

from toolkit.config.training.architectures import UnetOptions
from toolkit.config.training.networks import NetworkSpec
from toolkit.learning.networks.backbones.encoders import Parts, Tensor
from toolkit.learning.networks.decoders.blocks.attention import after_block, on_skip
from toolkit.learning.networks.decoders.blocks.convolutions import (
    SKIP_STRIDES,
    centred,
    convolution,
    doubled,
    encoder_features,
    transposed_convolution,
    two_convolutions,
)
from toolkit.learning.networks.decoders.blocks.heads import with_masks
from toolkit.learning.runtime import tf


def unet(spec: NetworkSpec, options: UnetOptions, weights: str | None) -> Parts:
    """U-Net (Ronneberger et al. 2015, arXiv:1505.04597) on an encoder, with the layers of segmentation-models."""
    encoder, features = encoder_features(spec, weights)
    levels, x = [], centred(encoder, batchnorm=options.decoder_use_batchnorm)
    for number, filters in enumerate(options.decoder_filters):
        skip = features.get(SKIP_STRIDES[number]) if number < len(SKIP_STRIDES) else None
        x = _block(options, x, skip, filters, f"decoder_stage{number}")
        levels.append(x)
    return with_masks(options, spec, encoder, levels, "final_conv")


def _block(options: UnetOptions, x: Tensor, skip: Tensor | None, filters: int, name: str) -> Tensor:
    """Twice the sides, then convolutions with the skip connection."""
    coarser, batchnorm = x, options.decoder_use_batchnorm
    transposes = options.decoder_block_type == "transpose"
    x = transposed_convolution(x, filters, f"{name}a", batchnorm=batchnorm) if transposes else doubled(x, name)
    if skip is not None:
        skip = on_skip(options, skip, coarser, f"{name}_gate")
        x = tf.keras.layers.Concatenate(name=f"{name}_concat")([x, skip])
    if transposes:
        x = convolution(x, filters, 3, f"{name}b", batchnorm=batchnorm)
    else:
        x = two_convolutions(x, filters, name, batchnorm=batchnorm)
    return after_block(options, x, name)
