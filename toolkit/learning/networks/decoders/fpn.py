"""A feature pyramid network on an encoder."""

from typing import Any

from toolkit.config.training.architectures import FPNOptions
from toolkit.config.training.networks import NetworkSpec
from toolkit.learning.networks.backbones.encoders import Parts, Tensor
from toolkit.learning.networks.decoders.blocks.attention import after_block, on_skip
from toolkit.learning.networks.decoders.blocks.convolutions import (
    SKIP_STRIDES,
    convolution,
    doubled,
    encoder_features,
    enlarged,
    two_convolutions,
)
from toolkit.learning.networks.decoders.blocks.heads import coarse_masks, last_convolution
from toolkit.learning.runtime import tf

_COARSEST = 5


def fpn(spec: NetworkSpec, options: FPNOptions, weights: str | None) -> Parts:
    """Panoptic FPN (Kirillov et al. 2019, arXiv:1901.02446), with the layers of segmentation-models."""
    encoder, features = encoder_features(spec, weights)
    batchnorm, filters = options.pyramid_use_batchnorm, options.pyramid_block_filters
    pyramid, x = [], encoder.output
    for number, stride in enumerate(SKIP_STRIDES):
        x = _pyramid_level(options, x, features[stride], f"fpn_stage_p{_COARSEST - number}")
        pyramid.append(x)
    levels = []
    for number, x in enumerate(pyramid):
        name = f"segm_stage{_COARSEST - number}"
        levels.append(after_block(options, two_convolutions(x, filters // 2, name, batchnorm=batchnorm), name))
    x = _combined(options, levels)
    if options.pyramid_dropout:
        x = tf.keras.layers.SpatialDropout2D(options.pyramid_dropout, name="pyramid_dropout")(x)
    x = convolution(x, filters // 2, 3, "final_stage", batchnorm=batchnorm)
    logits = last_convolution(enlarged(x, 2, "final_upsampling"), spec, "head_conv")
    auxiliary = coarse_masks(options, spec, reversed(levels))
    return Parts(encoder.input, logits, encoder.output, tuple(layer.name for layer in encoder.layers), auxiliary)


def _pyramid_level(options: FPNOptions, x: Tensor, skip: Tensor, name: str) -> Tensor:
    """The sum of the coarser level and of encoder features, both with the filters of the pyramid."""
    layers: Any = tf.keras.layers
    filters, coarser = options.pyramid_block_filters, x
    if x.shape[-1] != filters:
        x = layers.Conv2D(filters, 1, kernel_initializer="he_uniform", name=f"{name}_pre_conv")(x)
    skip = on_skip(options, skip, coarser, f"{name}_gate")
    skip = layers.Conv2D(filters, 1, kernel_initializer="he_uniform", name=f"{name}_conv")(skip)
    return layers.Add(name=f"{name}_add")([doubled(x, name), skip])


def _combined(options: FPNOptions, levels: list[Tensor]) -> Tensor:
    """All levels at the size of the finest, which comes first."""
    sized = [levels[-1]]
    for halvings, x in enumerate(reversed(levels[:-1]), start=1):
        factor = 2**halvings
        name = f"upsampling_stage{halvings + 2}"
        sized.append(tf.keras.layers.UpSampling2D(factor, interpolation="nearest", name=name)(x))
    if options.pyramid_aggregation == "sum":
        return tf.keras.layers.Add(name="aggregation_sum")(sized)
    return tf.keras.layers.Concatenate(name="aggregation_concat")(sized)
