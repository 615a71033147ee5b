"""LinkNet on an encoder."""

from toolkit.config.training.architectures import LinknetOptions
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
)
from toolkit.learning.networks.decoders.blocks.heads import with_masks
from toolkit.learning.runtime import tf


def linknet(spec: NetworkSpec, options: LinknetOptions, weights: str | None) -> Parts:
    """LinkNet (Chaurasia and Culurciello 2017, arXiv:1707.03718), with the layers of segmentation-models."""
    encoder, features = encoder_features(spec, weights)
    levels, x = [], centred(encoder, batchnorm=options.decoder_use_batchnorm)
    skips = [features[stride] for stride in SKIP_STRIDES]
    filters = [*(skip.shape[-1] for skip in skips), options.decoder_filters[-1]]
    for number, skip in enumerate([*skips, None]):
        x = _block(options, x, skip, filters[number], f"decoder_stage{number}")
        levels.append(x)
    return with_masks(options, spec, encoder, levels, None)  # Keras numbers the last convolution of the library


def _block(options: LinknetOptions, x: Tensor, skip: Tensor | None, filters: int, name: str) -> Tensor:
    """Twice the sides with a quarter of the channels, then the sum with the skip connection."""
    coarser, batchnorm = x, options.decoder_use_batchnorm
    fewer = x.shape[-1] // 4
    x = convolution(x, fewer, 1, f"{name}a", batchnorm=batchnorm)
    if options.decoder_block_type == "transpose":
        x = transposed_convolution(x, fewer, f"{name}b", batchnorm=batchnorm)
    else:
        x = convolution(doubled(x, name), fewer, 3, f"{name}b", batchnorm=batchnorm)
    x = convolution(x, filters, 1, f"{name}c", batchnorm=batchnorm)
    if skip is not None:
        x = tf.keras.layers.Add(name=f"{name}_add")([x, on_skip(options, skip, coarser, f"{name}_gate")])
    return after_block(options, x, name)
