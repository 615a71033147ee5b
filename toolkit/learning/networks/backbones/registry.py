"""The backbones that segmentation-models does not have, and where weights come from that it cannot download."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from toolkit.files.disk.installed_weights import PACKAGES
from toolkit.learning.networks.backbones import convnext, efficientnet_lite, mix_transformer, resnet_v1
from toolkit.learning.networks.backbones.keras_applications import NAMES, keras_network, weights_for
from toolkit.learning.networks.weight_files import LayerWeights
from toolkit.learning.runtime import segmentation_models

Numbers = tuple[float, float, float]


@dataclass(frozen=True)
class Backbone:
    """How an encoder is built, and how its input is prepared.

    `build` takes the name and the input shape (height, width, channels). `features` are the layers for skip
    connections, the coarsest first. `mean` and `deviation` of red, green and blue are for pixel values 0–255.
    """

    build: Callable[[str, tuple[int, int, int]], Any]
    features: tuple[str, ...]
    mean: Numbers
    deviation: Numbers

    def preprocess(self, images: Any, **_: Any) -> Any:
        """Images as the encoder was trained with, float32 (…, 3)."""
        return ((images - np.array(self.mean)) / np.array(self.deviation)).astype(np.float32)


IMAGENET: tuple[Numbers, Numbers] = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
"""Mean and standard deviation of the colours of ImageNet, for pixel values 0–255."""

_CENTRED: tuple[Numbers, Numbers] = (128, 128, 128), (128, 128, 128)


def _lite() -> Backbone:
    features = tuple(f"block{stage}a_expand_activation" for stage in (6, 4, 3, 2))
    return Backbone(efficientnet_lite.efficientnet_lite, features, efficientnet_lite.MEAN, efficientnet_lite.DEVIATION)


def _v2(quarter: str, half: str, scaling: tuple[Numbers, Numbers]) -> Backbone:
    features = ("block6a_expand_activation", "block4a_expand_activation", quarter, half)
    return Backbone(keras_network, features, *scaling)


def _convnext(backbone: str) -> Backbone:
    return Backbone(convnext.convnext, convnext.features(backbone), *IMAGENET)


def _resnet_v1(backbone: str) -> Backbone:
    return Backbone(resnet_v1.resnet_v1, resnet_v1.features(backbone), *IMAGENET)


def _mit() -> Backbone:
    return Backbone(mix_transformer.mix_transformer, mix_transformer.FEATURES, *IMAGENET)


ADDED: Mapping[str, Backbone] = {
    "efficientnetlite0": _lite(),
    "efficientnetlite1": _lite(),
    "efficientnetlite2": _lite(),
    "efficientnetv2b0": _v2("block2b_add", "block1a_project_activation", IMAGENET),
    "efficientnetv2b1": _v2("block2c_add", "block1b_add", IMAGENET),
    "efficientnetv2b2": _v2("block2c_add", "block1b_add", IMAGENET),
    "efficientnetv2b3": _v2("block2c_add", "block1b_add", IMAGENET),
    "efficientnetv2s": _v2("block2d_add", "block1b_add", _CENTRED),
    "efficientnetv2m": _v2("block2e_add", "block1c_add", _CENTRED),
    "efficientnetv2l": _v2("block2g_add", "block1d_add", _CENTRED),
    "convnexttiny": _convnext("convnexttiny"),
    "convnextsmall": _convnext("convnextsmall"),
    "convnextbase": _convnext("convnextbase"),
    "convnextlarge": _convnext("convnextlarge"),
    "convnextxlarge": _convnext("convnextxlarge"),
    "resnet18v1": _resnet_v1("resnet18v1"),
    "resnet34v1": _resnet_v1("resnet34v1"),
    "resnet50v1": _resnet_v1("resnet50v1"),
    "resnet101v1": _resnet_v1("resnet101v1"),
    "resnet152v1": _resnet_v1("resnet152v1"),
    "mitb0": _mit(),
    "mitb1": _mit(),
    "mitb2": _mit(),
    "mitb3": _mit(),
}
"""Backbones by name. Those of Keras are scaled as in the preprocessing layers of `tf.keras.applications`."""


@cache
def library() -> Any:
    """The module `segmentation_models`, to whose backbones those of `ADDED` are added when it is first asked for."""

    def builder(name: str) -> Callable[..., Any]:
        return lambda input_shape, **_: ADDED[name].build(name, input_shape)

    known = segmentation_models.Backbones
    models = {name: [builder(name), backbone.preprocess] for name, backbone in ADDED.items()}
    known._models_update = known._models_update | models
    features = {name: backbone.features for name, backbone in ADDED.items()}
    known._default_feature_layers = known._default_feature_layers | features
    return segmentation_models


def has_own_weights(backbone: str) -> bool:
    """Whether the ImageNet weights of a backbone come from elsewhere than segmentation-models."""
    return backbone in PACKAGES or backbone in NAMES


def packaged_weights(backbone: str) -> LayerWeights | None:
    """The ImageNet weights for each layer of an encoder with three channels, if they come in a Python package.

    Raises:
        WeightsError: the package is not installed or damaged.
    """
    return efficientnet_lite.lite_weights(backbone) if backbone in PACKAGES else None


def own_weights(encoder: Any, backbone: str) -> LayerWeights:
    """The ImageNet weights for each layer of an encoder with three channels, from a Python package or Keras.

    Raises:
        WeightsError: the package is not installed or damaged.
    """
    packaged = packaged_weights(backbone)
    if packaged is not None:
        return packaged
    return weights_for(encoder, backbone, keras_network(backbone, weights="imagenet"))
