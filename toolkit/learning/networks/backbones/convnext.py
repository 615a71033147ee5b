"""ConvNeXt, with the weights of `tf.keras.applications`.

The network there is assembled from nested models and grouped convolutions, which are slow on a processor and cannot be
dilated. This one computes the same with depthwise convolutions and plain layers.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.learning.networks.rebuilding import Layer
from toolkit.learning.networks.weight_files import LayerWeights
from toolkit.learning.runtime import tf

# Blocks and filters of each stage.
_STAGES: Mapping[str, tuple[tuple[int, int], ...]] = {
    "convnexttiny": ((3, 96), (3, 192), (9, 384), (3, 768)),
    "convnextsmall": ((3, 96), (3, 192), (27, 384), (3, 768)),
    "convnextbase": ((3, 128), (3, 256), (27, 512), (3, 1024)),
    "convnextlarge": ((3, 192), (3, 384), (27, 768), (3, 1536)),
    "convnextxlarge": ((3, 256), (3, 512), (27, 1024), (3, 2048)),
}


class LayerScale(tf.keras.layers.Layer):  # type: ignore[misc] # TensorFlow has no types
    """Multiplies each channel by a trained number that begins small (Touvron et al. 2021, arXiv:2103.17239)."""

    def build(self, input_shape: Any) -> None:
        """Create the numbers, one for each channel."""
        self.gamma = self.add_weight(
            name="gamma", shape=(input_shape[-1],), initializer=tf.keras.initializers.Constant(1e-6)
        )

    def call(self, inputs: Any) -> Any:
        """Values of the same shape and type as the inputs."""
        return inputs * self.gamma


def convnext(backbone: str, shape: tuple[int, int, int]) -> Any:
    """An encoder `tf.keras.Model` with random weights, from preprocessed images to features 32 times smaller.

    ConvNeXt (Liu et al. 2022, arXiv:2201.03545), without stochastic depth, as in `tf.keras.applications`.

    Args:
        backbone: convnexttiny, small, base, large or xlarge.
        shape: of the input: height, width, channels.
    """
    inputs = x = tf.keras.Input(shape)
    for stage, (blocks, filters) in enumerate(_STAGES[backbone]):
        if stage == 0:
            x = tf.keras.layers.Conv2D(filters, 4, 4, "same", name="stem_conv")(x)
            x = _normalised(x, "stem")
        else:
            x = _normalised(x, f"stage{stage}_downsampling")
            x = tf.keras.layers.Conv2D(filters, 2, 2, "same", name=f"stage{stage}_downsampling_conv")(x)
        for block in range(blocks):
            x = _block(x, filters, f"stage{stage}_block{block}")
    return tf.keras.Model(inputs, _normalised(x, "top"), name=backbone)


def features(backbone: str) -> tuple[str, ...]:
    """The layers with features 16, 8 and 4 times smaller than the input: the ends of the stages but the last."""
    return tuple(f"stage{stage}_block{_STAGES[backbone][stage][0] - 1}_add" for stage in (2, 1, 0))


def weights_of_keras(encoder: Any, donor: Any) -> LayerWeights:
    """The weights of the network of `tf.keras.applications` for each layer of the encoder; both have the same order."""
    given = [layer for layer in _flat(donor.layers) if layer.weights]
    own = [layer for layer in encoder.layers if layer.weights]
    return {layer.name: _fitted(layer, other.get_weights()) for layer, other in zip(own, given, strict=True)}


def _fitted(layer: Layer, weights: list[npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
    """The kernel `(height, width, 1, channels)` of a grouped convolution as that of a depthwise one."""
    if not isinstance(layer, tf.keras.layers.DepthwiseConv2D):
        return weights
    kernel, bias = weights
    return [np.swapaxes(kernel, 2, 3), bias]


def _flat(layers: Sequence[Layer]) -> list[Layer]:
    """Layers, with those of nested models in their place."""
    return [inner for layer in layers for inner in (_flat(layer.layers) if hasattr(layer, "layers") else [layer])]


def _block(x: Any, filters: int, name: str) -> Any:
    layers = tf.keras.layers
    y = layers.DepthwiseConv2D(7, padding="same", depthwise_initializer=_initial(), name=f"{name}_dwconv")(x)
    y = _normalised(y, name)
    y = layers.Dense(4 * filters, kernel_initializer=_initial(), name=f"{name}_expand")(y)
    y = layers.Activation("gelu", name=f"{name}_activation")(y)
    y = layers.Dense(filters, kernel_initializer=_initial(), name=f"{name}_project")(y)
    y = LayerScale(name=f"{name}_scale")(y)
    return layers.Add(name=f"{name}_add")([y, x])


def _normalised(x: Any, name: str) -> Any:
    return tf.keras.layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm")(x)


def _initial() -> Any:
    return tf.keras.initializers.TruncatedNormal(stddev=0.02)
