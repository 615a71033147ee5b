"""The builders of architectures by name: those of segmentation-models, of this room, and of plugins."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from toolkit.config.training.networks import ARCHITECTURES, ArchitectureOptions, NetworkSpec
from toolkit.errors import NetworkError
from toolkit.learning.networks.encoders import Parts, any_number_of_channels
from toolkit.learning.runtime import segmentation_models, tf

Builder = Callable[[NetworkSpec, Any, str | None], Parts]
"""From a specification, the architecture's options and `imagenet` or None to the parts of a network."""


def builder_of(architecture: str) -> Builder:
    """The function that builds an architecture, as its entry in `toolkit.config.training.networks` names it."""
    module, _, function = ARCHITECTURES[architecture].builder.rpartition(".")
    if module == "segmentation_models":
        return _of_library(getattr(segmentation_models, function))
    builder: Builder = getattr(import_module(f"toolkit.learning.networks.{module}"), function)
    return builder


def _of_library(function: Callable[..., Any]) -> Builder:
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
        return _parts_of_library(model)

    return build


def _parts_of_library(model: Any) -> Parts:
    """Tell the encoder from the decoder of a network built with a frozen encoder, and thaw it.

    The library freezes every layer of the encoder but batch normalisation, which never ends it; so the encoder is all
    that leads to a frozen layer. Its deepest layer leads to no other of its layers.
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


def _followers(layer: Any) -> set[str]:
    return {node.outbound_layer.name for node in layer.outbound_nodes}


def build_own(spec: NetworkSpec, function: Callable[..., Any]) -> Parts:
    """The parts of a network that the user's function builds.

    The function takes shape and classes, and backbone, encoder_weights and the options by name; it returns a functional
    `tf.keras.Model` from pixel values `float32 (batch, height, width, channels)`, 0 to 255, to logits.

    Raises:
        NetworkError: what it returns is something else.
    """
    model = function(
        spec.shape, spec.classes, backbone=spec.backbone, encoder_weights=spec.encoder_weights, **spec.options
    )
    where = f"the architecture {spec.architecture}"
    if not isinstance(model, tf.keras.Model) or not getattr(model, "inputs", None):
        raise NetworkError(
            f"{where} returned {type(model).__name__}, expected a functional tf.keras.Model",
            "End the function with return tf.keras.Model(inputs, logits).",
        )
    expected = (*spec.shape[:2], spec.classes)
    for what, shapes, wanted in (("takes", model.input_shape, spec.shape), ("gives", model.output_shape, expected)):
        if not isinstance(shapes, tuple) or shapes[1:] != tuple(wanted):
            raise NetworkError(f"{where} {what} {shapes}, expected (None, {', '.join(map(str, wanted))})")
    return Parts(model.input, model.output, _coarsest(model), ())


def _coarsest(model: Any) -> Any:
    """The last features `(batch, height, width, channels)` with the smallest sides."""
    outputs = [layer.output for layer in model.layers if isinstance(layer.output_shape, tuple)]
    features = [output for output in outputs if len(output.shape) == 4 and None not in output.shape[1:]]
    return min(reversed(features), key=lambda output: output.shape[1] * output.shape[2])
