"""MA-Net: attention between the positions of the deepest features, and over channels where features meet."""

from typing import Any

from toolkit.config.training.architectures import MAnetOptions
from toolkit.config.training.networks import NetworkSpec
from toolkit.learning.networks.backbones.encoders import Parts, Tensor
from toolkit.learning.networks.decoders.blocks.attention import after_block, channel_weights
from toolkit.learning.networks.decoders.blocks.convolutions import (
    SKIP_STRIDES,
    convolution,
    doubled,
    encoder_features,
    two_convolutions,
)
from toolkit.learning.networks.decoders.blocks.heads import with_masks
from toolkit.learning.runtime import tf


def manet(spec: NetworkSpec, options: MAnetOptions, weights: str | None) -> Parts:
    """MA-Net (Fan et al. 2020, doi:10.1109/ACCESS.2020.3025372) on an encoder."""
    encoder, features = encoder_features(spec, weights)
    levels, x = [], _position_attention(options, encoder.output, "position")
    for number, filters in enumerate(options.decoder_filters):
        skip = features.get(SKIP_STRIDES[number]) if number < len(SKIP_STRIDES) else None
        name = f"decoder_stage{number}"
        x = doubled(x, name) if skip is None else _fused(options, x, skip, name)
        x = after_block(options, two_convolutions(x, filters, name, batchnorm=options.decoder_use_batchnorm), name)
        levels.append(x)
    return with_masks(options, spec, encoder, levels, "final_conv")


def _position_attention(options: MAnetOptions, x: Tensor, name: str) -> Tensor:
    """The position-wise attention block: each position takes the features of all others, in shares that sum to 1."""
    layers: Any = tf.keras.layers
    channels, positions = x.shape[-1], x.shape[1] * x.shape[2]
    query, key = (
        layers.Reshape((positions, options.attention_filters), name=f"{name}_{part}s")(
            layers.Conv2D(options.attention_filters, 1, name=f"{name}_{part}_conv")(x)
        )
        for part in ("query", "key")
    )
    value = layers.Conv2D(channels, 3, padding="same", name=f"{name}_value_conv")(x)
    value = layers.Reshape((positions, channels), name=f"{name}_values")(value)
    products = layers.Dot(axes=2, name=f"{name}_products")([query, key])
    shares = layers.Softmax(name=f"{name}_shares", dtype="float32")(products)
    seen = layers.Dot(axes=(2, 1), name=f"{name}_seen")([shares, value])
    seen = layers.Reshape(tuple(x.shape[1:]), name=f"{name}_map")(seen)
    return layers.Conv2D(channels, 3, padding="same", name=f"{name}_output_conv")(
        layers.Add(name=f"{name}_add")([x, seen])
    )


def _fused(options: MAnetOptions, x: Tensor, skip: Tensor, name: str) -> Tensor:
    """The multi-scale fusion attention block: coarse features, weighted by channel, beside those of the encoder."""
    layers: Any = tf.keras.layers
    batchnorm = options.decoder_use_batchnorm
    x = convolution(x, x.shape[-1], 3, f"{name}_high_a", batchnorm=batchnorm)
    x = doubled(convolution(x, skip.shape[-1], 1, f"{name}_high_b", batchnorm=batchnorm), name)
    weights = [channel_weights(y, options.reduction, f"{name}_{part}") for y, part in ((x, "high"), (skip, "low"))]
    weighted = layers.Multiply(name=f"{name}_weighted")([x, layers.Add(name=f"{name}_weights")(weights)])
    return layers.Concatenate(name=f"{name}_concat")([weighted, skip])
