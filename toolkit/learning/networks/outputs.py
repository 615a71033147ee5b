"""The outputs of a network for a batch, and whether those of the user's own are logits."""

from typing import Any, NamedTuple

import numpy as np

from toolkit.learning.runtime import tf

Tensor = Any
"""`tf.Tensor`; TensorFlow has no types that mypy can read."""


class Outputs(NamedTuple):
    """Outputs of a network, all float32 logits.

    `logits` is (batch, height, width, classes). `auxiliary` has tensors of the same shape from coarse levels of the
    decoder, for deep supervision. `presence` is (batch, classes), from a presence head: whether each class occurs in
    the image.
    """

    logits: Tensor
    auxiliary: tuple[Tensor, ...] = ()
    presence: Tensor | None = None


_ACTIVATIONS = ("sigmoid", "hard_sigmoid", "softmax")
_KEEPING = (
    tf.keras.layers.Activation,
    tf.keras.layers.Average,
    tf.keras.layers.Concatenate,
    tf.keras.layers.Cropping2D,
    tf.keras.layers.Dropout,
    tf.keras.layers.Permute,
    tf.keras.layers.Reshape,
    tf.keras.layers.Resizing,
    tf.keras.layers.UpSampling2D,
    tf.keras.layers.ZeroPadding2D,
)
"""Layers that pass probabilities on as probabilities; an Activation only if it is linear."""


def final_activation(model: Any, shape: tuple[int, int, int]) -> str:
    """The activation that a model ends in if that makes probabilities of logits, or else an empty text.

    Where the last layer does not tell, a Lambda for example, two random images do: values that all are between 0 and 1
    are probabilities.

    Args:
        model: a functional model with one output.
        shape: of its input, (height, width, channels).
    """
    found = [_activation(layer) for layer in _last_layers(model)]
    named = next((name for name in found if name), "")
    if named or None not in found:
        return named or ""
    images = np.random.default_rng(0).integers(0, 256, (2, *shape)).astype(np.float32)
    values = np.asarray(model(images, training=False))
    return "a function with values from 0 to 1" if values.min() >= 0 and 0 < values.max() <= 1 else ""


def _last_layers(model: Any) -> list[Any]:
    """The last layers before the output that change what values mean, in nested models too."""
    found, waiting, seen = [], [model.get_layer(name) for name in model.output_names], set[int]()
    while waiting:
        layer = waiting.pop()
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        if isinstance(layer, tf.keras.Model) and getattr(layer, "output_names", None) and layer.inputs:
            waiting += [layer.get_layer(name) for name in layer.output_names]
        elif isinstance(layer, _KEEPING) and not _activation(layer) and layer.inbound_nodes:
            waiting += tf.nest.flatten(layer.inbound_nodes[-1].inbound_layers)
        else:
            found.append(layer)
    return found


def _activation(layer: Any) -> str | None:
    """The activation of a layer if it makes probabilities; an empty text if it does not, None if that is unknown."""
    if isinstance(layer, tf.keras.layers.Softmax):
        return "softmax"
    symbol = getattr(layer, "symbol", None)  # of an operation of TensorFlow in place of a layer
    name = getattr(getattr(layer, "activation", None), "__name__", None) if symbol is None else symbol.split(".")[-1]
    if name in _ACTIVATIONS:
        return str(name)
    return None if name is None or symbol is not None else ""
