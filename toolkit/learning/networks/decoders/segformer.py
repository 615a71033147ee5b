"""The decoder of SegFormer: features of four levels, mixed pixel by pixel."""

from toolkit.config.training.networks import NetworkSpec, SegformerOptions
from toolkit.learning.networks.backbones.encoders import Parts, build_encoder, features_by_stride
from toolkit.learning.runtime import tf

_STRIDES = (32, 16, 8, 4)


def segformer(spec: NetworkSpec, options: SegformerOptions, weights: str | None) -> Parts:
    """The all-MLP decoder of SegFormer (Xie et al. 2021, arXiv:2105.15203) on any encoder.

    Features with a 32nd to a quarter of the input's sides are brought to equal filters, enlarged, joined, and mixed
    into logits with a quarter of the sides, which are enlarged.
    """
    backbone, layers = str(spec.backbone), tf.keras.layers
    encoder = build_encoder(backbone, spec.shape, weights)
    features = features_by_stride(encoder, backbone)
    levels = []
    for stride in _STRIDES:
        x = layers.Dense(options.decoder_filters, name=f"decoder_level{stride}")(features[stride])
        if stride > _STRIDES[-1]:
            factor = stride // _STRIDES[-1]
            x = layers.UpSampling2D(factor, interpolation="bilinear", name=f"decoder_level{stride}_upsampling")(x)
        levels.append(x)
    x = layers.Concatenate(name="decoder_concat")(levels)
    x = layers.Conv2D(
        options.decoder_filters, 1, use_bias=False, kernel_initializer="he_uniform", name="decoder_fuse_conv"
    )(x)  # fmt: skip
    x = layers.ReLU(name="decoder_fuse_relu")(layers.BatchNormalization(name="decoder_fuse_bn")(x))
    x = layers.SpatialDropout2D(options.dropout, name="decoder_dropout")(x)
    x = layers.Conv2D(spec.classes, 1, name="head_conv")(x)
    x = layers.UpSampling2D(_STRIDES[-1], interpolation="bilinear", name="final_upsampling")(x)
    return Parts(encoder.input, x, encoder.output, tuple(layer.name for layer in encoder.layers))
