"""DeepLabV3+: atrous spatial pyramid pooling on dense features, refined with features at a quarter of the sides."""

from toolkit.config.training.architectures import DeepLabV3PlusOptions
from toolkit.config.training.networks import NetworkSpec
from toolkit.learning.networks.backbones.encoders import Parts, Tensor, dilated
from toolkit.learning.networks.decoders.blocks.attention import after_block, on_skip
from toolkit.learning.networks.decoders.blocks.convolutions import convolution, encoder_features, enlarged
from toolkit.learning.runtime import tf

_LOW_LEVEL_STRIDE = 4
_RATES = {16: (6, 12, 18), 8: (12, 24, 36)}


def deeplab(spec: NetworkSpec, options: DeepLabV3PlusOptions, weights: str | None) -> Parts:
    """DeepLabV3+ (Chen et al. 2018, arXiv:1802.02611) on an encoder of segmentation-models.

    Strides of the encoder beyond the output stride become dilations, as in the paper. Unlike there, convolutions are
    not depthwise separable.
    """
    encoder, features = encoder_features(spec, weights)
    ends = [features[_LOW_LEVEL_STRIDE], encoder.output]
    dense = dilated(tf.keras.Model(encoder.input, ends), options.output_stride)
    low, deepest = dense.outputs
    x = _pyramid_pooling(options, deepest)
    x = tf.keras.layers.Dropout(options.dropout, name="aspp_dropout")(x)
    low = convolution(low, options.low_level_filters, 1, "decoder_low_level")
    low = on_skip(options, low, x, "decoder_gate")
    x = enlarged(x, options.output_stride // _LOW_LEVEL_STRIDE, "decoder_upsampling")
    x = tf.keras.layers.Concatenate(name="decoder_concat")([x, low])
    for number in (1, 2):
        x = convolution(x, options.decoder_filters, 3, f"decoder_conv{number}")
    x = after_block(options, x, "decoder")
    x = tf.keras.layers.Conv2D(spec.classes, 1, name="head_conv")(x)
    x = enlarged(x, _LOW_LEVEL_STRIDE, "final_upsampling")
    return Parts(dense.input, x, deepest, tuple(layer.name for layer in dense.layers))


def _pyramid_pooling(options: DeepLabV3PlusOptions, x: Tensor) -> Tensor:
    """Atrous spatial pyramid pooling with image pooling (Chen et al. 2017, arXiv:1706.05587)."""
    filters = options.aspp_filters
    branches = [convolution(x, filters, 1, "aspp_conv1x1")]
    for number, rate in enumerate(options.atrous_rates or _RATES[options.output_stride], start=1):
        branches.append(convolution(x, filters, 3, f"aspp_rate{number}", dilation=rate))
    image = tf.keras.layers.GlobalAveragePooling2D(keepdims=True, name="aspp_image_pooling")(x)
    image = convolution(image, filters, 1, "aspp_image")
    branches.append(tf.keras.layers.UpSampling2D(tuple(x.shape[1:3]), name="aspp_image_upsampling")(image))
    return convolution(tf.keras.layers.Concatenate(name="aspp_concat")(branches), filters, 1, "aspp_projection")
