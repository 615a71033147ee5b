"""The encoder as decoders see it, and the convolutions that decoders are made of.

Layers are created in the order of segmentation-models 1.0.1 and have its names, so that weights of its networks fit.
"""

from collections.abc import Mapping
from typing import Any

from toolkit.config.training.networks import NetworkSpec
from toolkit.learning.networks.backbones.encoders import Tensor, build_encoder, features_by_stride
from toolkit.learning.runtime import tf

SKIP_STRIDES = (16, 8, 4, 2)
"""Strides of the encoder features for skip connections, the coarsest first; some encoders lack the last."""

_CENTRE_FILTERS = 512


def encoder_features(spec: NetworkSpec, weights: str | None) -> tuple[Any, Mapping[int, Tensor]]:
    """The encoder of a network, and its features by their stride."""
    backbone = str(spec.backbone)
    encoder = build_encoder(backbone, spec.shape, weights)
    return encoder, features_by_stride(encoder, backbone)


def convolution(
    x: Tensor, filters: int, kernel: int, name: str, *, batchnorm: bool = True, dilation: int = 1
) -> Tensor:  # fmt: skip
    """A convolution with ReLU, and with batch normalisation between them or else a bias."""
    layers: Any = tf.keras.layers
    x = layers.Conv2D(
        filters, kernel, padding="same", dilation_rate=dilation, use_bias=not batchnorm,
        kernel_initializer="he_uniform", name=f"{name}_conv",
    )(x)  # fmt: skip
    if batchnorm:
        x = layers.BatchNormalization(name=f"{name}_bn")(x)
    return layers.Activation("relu", name=f"{name}_relu")(x)


def two_convolutions(x: Tensor, filters: int, name: str, *, batchnorm: bool) -> Tensor:
    """Two 3×3 convolutions."""
    for part in ("a", "b"):
        x = convolution(x, filters, 3, f"{name}{part}", batchnorm=batchnorm)
    return x


def transposed_convolution(x: Tensor, filters: int, name: str, *, batchnorm: bool) -> Tensor:
    """A transposed 4×4 convolution that doubles the sides, with ReLU and batch normalisation or a bias."""
    layers: Any = tf.keras.layers
    x = layers.Conv2DTranspose(
        filters, 4, strides=2, padding="same", use_bias=not batchnorm, name=f"{name}_transpose"
    )(x)  # fmt: skip
    if batchnorm:
        x = layers.BatchNormalization(name=f"{name}_bn")(x)
    return layers.Activation("relu", name=f"{name}_relu")(x)


def doubled(x: Tensor, name: str) -> Tensor:
    """Twice the sides; each pixel is repeated."""
    return tf.keras.layers.UpSampling2D(2, name=f"{name}_upsampling")(x)


def enlarged(x: Tensor, factors: int | tuple[int, int], name: str) -> Tensor:
    """Sides enlarged by bilinear interpolation."""
    return tf.keras.layers.UpSampling2D(factors, interpolation="bilinear", name=name)(x)


def centred(encoder: Any, *, batchnorm: bool) -> Tensor:
    """The deepest features; two convolutions follow where the encoder ends in a pooling, as the VGGs do."""
    x = encoder.output
    if isinstance(encoder.layers[-1], tf.keras.layers.MaxPooling2D):
        for number in (1, 2):
            x = convolution(x, _CENTRE_FILTERS, 3, f"center_block{number}", batchnorm=batchnorm)
    return x
