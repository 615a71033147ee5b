"""DeepLabV3+: atrous spatial pyramid pooling on dense features, refined with features at a quarter of the sides."""

from typing import Any

from toolkit.config.training.networks import DeepLabV3PlusOptions, NetworkSpec
from toolkit.learning.networks.backbones.encoders import Parts, Tensor, build_encoder, dilated, features_by_stride
from toolkit.learning.runtime import tf

_LOW_LEVEL_STRIDE = 4
_RATES = {16: (6, 12, 18), 8: (12, 24, 36)}


def deeplab(spec: NetworkSpec, options: DeepLabV3PlusOptions, weights: str | None) -> Parts:
    """DeepLabV3+ (Chen et al. 2018, arXiv:1802.02611) on an encoder of segmentation-models.

    Strides of the encoder beyond the output stride become dilations, as in the paper. Unlike there, convolutions are
    not depthwise separable.
    """
    backbone = str(spec.backbone)
    encoder = build_encoder(backbone, spec.shape, weights)
    low = features_by_stride(encoder, backbone)[_LOW_LEVEL_STRIDE]
    dense = dilated(tf.keras.Model(encoder.input, [low, encoder.output]), options.output_stride)
    low, deepest = dense.outputs
    x = _pyramid_pooling(options, deepest)
    x = tf.keras.layers.Dropout(options.dropout, name="aspp_dropout")(x)
    x = _upsampled(x, options.output_stride // _LOW_LEVEL_STRIDE, "decoder_upsampling")
    low = _convolution(low, options.low_level_filters, 1, name="decoder_low_level")
    x = tf.keras.layers.Concatenate(name="decoder_concat")([x, low])
    for number in (1, 2):
        x = _convolution(x, options.decoder_filters, 3, name=f"decoder_conv{number}")
    x = tf.keras.layers.Conv2D(spec.classes, 1, name="head_conv")(x)
    x = _upsampled(x, _LOW_LEVEL_STRIDE, "final_upsampling")
    return Parts(dense.input, x, deepest, tuple(layer.name for layer in dense.layers))


def _pyramid_pooling(options: DeepLabV3PlusOptions, x: Tensor) -> Tensor:
    """Atrous spatial pyramid pooling with image pooling (Chen et al. 2017, arXiv:1706.05587)."""
    filters = options.aspp_filters
    branches = [_convolution(x, filters, 1, name="aspp_conv1x1")]
    for number, rate in enumerate(options.atrous_rates or _RATES[options.output_stride], start=1):
        branches.append(_convolution(x, filters, 3, rate, name=f"aspp_rate{number}"))
    image = tf.keras.layers.GlobalAveragePooling2D(keepdims=True, name="aspp_image_pooling")(x)
    image = _convolution(image, filters, 1, name="aspp_image")
    branches.append(tf.keras.layers.UpSampling2D(tuple(x.shape[1:3]), name="aspp_image_upsampling")(image))
    return _convolution(tf.keras.layers.Concatenate(name="aspp_concat")(branches), filters, 1, name="aspp_projection")


def _convolution(x: Tensor, filters: int, kernel: int, rate: int = 1, *, name: str) -> Tensor:
    layers: Any = tf.keras.layers
    x = layers.Conv2D(
        filters, kernel, padding="same", dilation_rate=rate, use_bias=False, kernel_initializer="he_uniform",
        name=f"{name}_conv",
    )(x)  # fmt: skip
    return layers.ReLU(name=f"{name}_relu")(layers.BatchNormalization(name=f"{name}_bn")(x))


def _upsampled(x: Tensor, factor: int, name: str) -> Tensor:
    return tf.keras.layers.UpSampling2D(factor, interpolation="bilinear", name=name)(x)
