"""Networks rebuilt with some of their layers replaced."""

from collections.abc import Callable
from typing import Any

from toolkit.learning.runtime import tf

Layer = Any
"""`tf.keras.layers.Layer`; TensorFlow has no types that mypy can read."""


def rebuilt(model: Any, replace: Callable[[Layer], Layer]) -> Any:
    """A functional model with each layer replaced by what `replace` returns, also inside nested functional models.

    Layers that `replace` returns unchanged are shared with the model, weights included.
    """

    def one(layer: Layer) -> Layer:
        nested = isinstance(layer, tf.keras.Model) and (isinstance(layer, tf.keras.Sequential) or bool(layer.inputs))
        return rebuilt(layer, replace) if nested else replace(layer)

    return tf.keras.models.clone_model(model, clone_function=one)


def all_layers(model: Any) -> list[Layer]:
    """Every layer of a model, including those inside layers and nested models."""
    return [module for module in model.submodules if isinstance(module, tf.keras.layers.Layer)]
