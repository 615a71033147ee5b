"""PSPNet: features of one level of an encoder, pooled over regions of the image."""

from typing import Any

from toolkit.config.training.architectures import PSPNetOptions
from toolkit.config.training.networks import NetworkSpec
from toolkit.learning.networks.backbones.encoders import Parts, Tensor
from toolkit.learning.networks.decoders.blocks.attention import after_block
from toolkit.learning.networks.decoders.blocks.convolutions import convolution, encoder_features, enlarged
from toolkit.learning.networks.decoders.blocks.heads import last_convolution
from toolkit.learning.runtime import tf

_REGIONS = (1, 2, 3, 6)
"""Numbers of regions along each side of the image."""


def pspnet(spec: NetworkSpec, options: PSPNetOptions, weights: str | None) -> Parts:
    """PSPNet (Zhao et al. 2017, arXiv:1612.01105), with the layers of segmentation-models."""
    encoder, features = encoder_features(spec, weights)
    deepest = features[options.downsample_factor]
    pooled = [_pooled(options, deepest, count) for count in _REGIONS]
    x = tf.keras.layers.Concatenate(name="psp_concat")([deepest, *pooled])
    x = convolution(x, options.psp_conv_filters, 1, "aggregation", batchnorm=options.psp_use_batchnorm)
    x = after_block(options, x, "aggregation")
    if options.psp_dropout is not None:
        x = tf.keras.layers.SpatialDropout2D(options.psp_dropout, name="spatial_dropout")(x)
    logits = enlarged(last_convolution(x, spec, "final_conv"), options.downsample_factor, "final_upsampling")
    used = tf.keras.Model(encoder.input, deepest)
    return Parts(encoder.input, logits, deepest, tuple(layer.name for layer in used.layers))


def _pooled(options: PSPNetOptions, x: Tensor, count: int) -> Tensor:
    """Features of `count`² regions, as large as the features that they were pooled from."""
    layers: Any = tf.keras.layers
    name, size = f"psp_level{count}", (x.shape[1] // count, x.shape[2] // count)
    pooling = layers.MaxPool2D if options.psp_pooling_type == "max" else layers.AveragePooling2D
    y = pooling(size, strides=size, padding="same", name=f"{name}_pooling")(x)
    y = convolution(y, options.psp_conv_filters, 1, name, batchnorm=options.psp_use_batchnorm)
    return enlarged(y, size, f"{name}_upsampling")
