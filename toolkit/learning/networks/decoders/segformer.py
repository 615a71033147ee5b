"""The decoder of SegFormer: features of four levels, mixed pixel by pixel."""

from toolkit.config.training.architectures import SegformerOptions
from toolkit.config.training.networks import NetworkSpec
from toolkit.learning.networks.backbones.encoders import Parts, build_encoder, features_by_stride
from toolkit.learning.networks.decoders.blocks.attention import after_block
from toolkit.learning.networks.decoders.blocks.convolutions import enlarged
from toolkit.learning.networks.decoders.blocks.heads import coarse_masks
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
        name = f"decoder_level{stride}"
        levels.append(after_block(options, layers.Dense(options.decoder_filters, name=name)(features[stride]), name))
    *coarser, finest = levels
    sized = [
        enlarged(x, stride // _STRIDES[-1], f"decoder_level{stride}_upsampling")
        for stride, x in zip(_STRIDES, coarser, strict=False)
    ]
    x = layers.Concatenate(name="decoder_concat")([*sized, finest])
    x = layers.Conv2D(
        options.decoder_filters, 1, use_bias=False, kernel_initializer="he_uniform", name="decoder_fuse_conv"
    )(x)  # fmt: skip
    x = layers.ReLU(name="decoder_fuse_relu")(layers.BatchNormalization(name="decoder_fuse_bn")(x))
    x = layers.SpatialDropout2D(options.dropout, name="decoder_dropout")(x)
    logits = enlarged(layers.Conv2D(spec.classes, 1, name="head_conv")(x), _STRIDES[-1], "final_upsampling")
    auxiliary = coarse_masks(options, spec, reversed(coarser))
    return Parts(encoder.input, logits, encoder.output, tuple(layer.name for layer in encoder.layers), auxiliary)
