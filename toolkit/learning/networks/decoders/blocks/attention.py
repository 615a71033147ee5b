"""Attention in decoders: squeeze-and-excitation after blocks, gates on skip connections."""

from typing import Any

from toolkit.config.training.architectures import ArchitectureOptions
from toolkit.learning.networks.backbones.encoders import Tensor
from toolkit.learning.networks.decoders.blocks.convolutions import enlarged
from toolkit.learning.runtime import tf

_REDUCTION = 16


def after_block(options: ArchitectureOptions, x: Tensor, name: str) -> Tensor:
    """The features that a block of the decoder passes on."""
    return squeeze_and_excitation(x, name) if options.decoder_attention == "scse" else x


def on_skip(options: ArchitectureOptions, skip: Tensor, coarser: Tensor, name: str) -> Tensor:
    """Encoder features as the decoder takes them, given its features at the next coarser level."""
    return gated(skip, coarser, name) if options.decoder_attention == "gate" else skip


def squeeze_and_excitation(x: Tensor, name: str) -> Tensor:
    """Concurrent spatial and channel squeeze-and-excitation (Roy et al. 2018, arXiv:1803.02579), scSE.

    The sum of the features weighted by channel and the features weighted by pixel, all weights 0–1. Channels are
    reduced by 16 in between, as in Hu et al. 2018 (arXiv:1709.01507); the paper reduces them by 2.
    """
    layers: Any = tf.keras.layers
    of_pixel = layers.Conv2D(1, 1, activation="sigmoid", name=f"{name}_spatial")(x)
    of_channel = channel_weights(x, _REDUCTION, name)
    by_channel = layers.Multiply(name=f"{name}_by_channel")([x, of_channel])
    by_pixel = layers.Multiply(name=f"{name}_by_pixel")([x, of_pixel])
    return layers.Add(name=f"{name}_scse")([by_channel, by_pixel])


def channel_weights(x: Tensor, reduction: int, name: str) -> Tensor:
    """A weight for each channel, 0–1, (batch, 1, 1, channels): squeeze-and-excitation (Hu et al. 2018)."""
    layers: Any = tf.keras.layers
    channels = x.shape[-1]
    pooled = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_squeeze")(x)
    reduced = layers.Conv2D(max(1, channels // reduction), 1, activation="relu", name=f"{name}_reduce")(pooled)
    return layers.Conv2D(channels, 1, activation="sigmoid", name=f"{name}_excite")(reduced)


def gated(skip: Tensor, coarser: Tensor, name: str) -> Tensor:
    """An additive attention gate (Oktay et al. 2018, arXiv:1804.03999): skip features times a weight for each pixel.

    The weights, 0–1, are computed at the size of the coarser features, and enlarged. `name` is that of the gate.
    """
    layers: Any = tf.keras.layers
    filters = max(1, skip.shape[-1] // 2)
    factors = skip.shape[1] // coarser.shape[1], skip.shape[2] // coarser.shape[2]
    seen = layers.Conv2D(filters, factors, strides=factors, use_bias=False, name=f"{name}_features")(skip)
    signal = layers.Conv2D(filters, 1, name=f"{name}_signal")(coarser)
    joined = layers.Activation("relu", name=f"{name}_relu")(layers.Add(name=f"{name}_add")([seen, signal]))
    weight = layers.Conv2D(1, 1, activation="sigmoid", name=f"{name}_weight")(joined)
    if factors != (1, 1):
        weight = enlarged(weight, factors, f"{name}_upsampling")
    return layers.Multiply(name=f"{name}_gated")([skip, weight])
