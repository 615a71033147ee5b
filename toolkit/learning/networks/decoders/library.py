"""Architectures of segmentation-models, taken apart into what a network is assembled from."""

from collections.abc import Callable
from typing import Any

from toolkit.config.training.networks import ArchitectureOptions, NetworkSpec
from toolkit.learning.networks.backbones.encoders import Builder, Parts, any_number_of_channels
from toolkit.learning.networks.rebuilding import Layer
from toolkit.learning.runtime import tf


def of_library(function: Callable[..., Any]) -> Builder:
    """The builder for a function of segmentation-models, for example `segmentation_models.Unet`."""

    def build(spec: NetworkSpec, options: ArchitectureOptions, weights: str | None) -> Parts:
        with any_number_of_channels():
            model = function(
                spec.backbone,
                encoder_weights=weights,
                encoder_freeze=True,
                classes=spec.classes,
                activation="linear",
                input_shape=spec.shape,
                **options.model_dump(),
            )
        return _parts(model)

    return build


def _parts(model: Any) -> Parts:
    """Tell the encoder from the decoder of a network that was built with a frozen encoder, and unfreeze it.

    The library freezes every layer of the encoder except batch normalisation, which is never the last layer. So the
    encoder is every layer that leads to a frozen one, and its deepest layer leads to none of its other layers.
    """
    frozen = [layer for layer in model.layers if not layer.trainable]
    encoder = tf.keras.Model(model.input, [layer.output for layer in frozen])
    names = {layer.name for layer in encoder.layers}
    deepest = [layer for layer in encoder.layers if not _followers(layer) & names]
    ends = [layer for layer in frozen if layer.name in {end.name for end in deepest}]
    for layer in frozen:
        layer.trainable = True
    last = ends[-1] if ends else frozen[-1]
    return Parts(model.input, model.output, last.output, tuple(layer.name for layer in encoder.layers))


def _followers(layer: Layer) -> set[str]:
    return {node.outbound_layer.name for node in layer.outbound_nodes}
