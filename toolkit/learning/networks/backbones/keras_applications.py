"""Encoders and ImageNet weights of `tf.keras.applications`.

EfficientNetV2 is built there. EfficientNet and MobileNetV2 of segmentation-models only take their weights from there,
because their own addresses no longer exist; both come from one origin and have the same layers.
"""

from collections.abc import Mapping
from typing import Any

from toolkit.learning.networks.backbones import convnext
from toolkit.learning.networks.weight_files import LayerWeights, weighted_layers
from toolkit.learning.runtime import tf

NAMES: Mapping[str, str] = {
    "mobilenetv2": "MobileNetV2",
    "efficientnetb0": "EfficientNetB0",
    "efficientnetb1": "EfficientNetB1",
    "efficientnetb2": "EfficientNetB2",
    "efficientnetb3": "EfficientNetB3",
    "efficientnetb4": "EfficientNetB4",
    "efficientnetb5": "EfficientNetB5",
    "efficientnetb6": "EfficientNetB6",
    "efficientnetb7": "EfficientNetB7",
    "efficientnetv2b0": "EfficientNetV2B0",
    "efficientnetv2b1": "EfficientNetV2B1",
    "efficientnetv2b2": "EfficientNetV2B2",
    "efficientnetv2b3": "EfficientNetV2B3",
    "efficientnetv2s": "EfficientNetV2S",
    "efficientnetv2m": "EfficientNetV2M",
    "efficientnetv2l": "EfficientNetV2L",
    "convnexttiny": "ConvNeXtTiny",
    "convnextsmall": "ConvNeXtSmall",
    "convnextbase": "ConvNeXtBase",
    "convnextlarge": "ConvNeXtLarge",
    "convnextxlarge": "ConvNeXtXLarge",
}
"""The network of `tf.keras.applications` whose weights a backbone takes."""

_USUAL_SHAPE = (224, 224, 3)


def keras_network(backbone: str, shape: tuple[int, int, int] = _USUAL_SHAPE, weights: str | None = None) -> Any:
    """The network of `tf.keras.applications` for a backbone, without its head.

    EfficientNetV2 and ConvNeXt do not preprocess their input.

    Args:
        backbone: a key of `NAMES`.
        shape: of the input: height, width, channels.
        weights: `imagenet`, which are downloaded once and have three channels, or None for random ones.
    """
    preprocessing = {} if backbone.startswith(("mobilenet", "efficientnetb")) else {"include_preprocessing": False}
    function = getattr(tf.keras.applications, NAMES[backbone])
    return function(include_top=False, weights=weights, input_shape=shape, **preprocessing)


def weights_for(encoder: Any, backbone: str, donor: Any) -> LayerWeights:
    """The weights of a network of `keras_network` for each layer of an encoder."""
    if backbone.startswith("convnext"):
        return convnext.weights_of_keras(encoder, donor)
    return {layer.name: layer.get_weights() for layer in weighted_layers(donor)}
