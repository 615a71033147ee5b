"""What a loss is: the prediction that it wants, and the value that it computes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from toolkit.core.masks.labels import Activation
from toolkit.learning.losses.targets import Tensor, Truth

Wants = Literal["logits", "probabilities", "presence"]


@dataclass(frozen=True)
class Loss:
    """A loss: `compute(truth, prediction, arguments)` returns a float32 scalar.

    `wants` says what the prediction is: `logits` or `probabilities`, float32 (batch, height, width, classes), or
    `presence`, the logits of the presence head, float32 (batch, classes).
    """

    wants: Wants
    compute: Callable[[Truth, Tensor, Any], Tensor]


LossTable = Mapping[str, Mapping[Activation, Loss]]
"""Losses by name, and by the activations that they are for."""


def for_both(wants: Wants, compute: Callable[[Truth, Tensor, Any], Tensor]) -> Mapping[Activation, Loss]:
    """The same loss for independent and for exclusive classes."""
    return {"sigmoid": Loss(wants, compute), "softmax": Loss(wants, compute)}
