"""The outputs of a network for a batch."""

from typing import Any, NamedTuple

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
