"""Losses, each declared to want logits or probabilities, and weighted sums of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from toolkit.config.losses import parse_loss
from toolkit.learning.runtime import tf

Tensor = Any
"""`tf.Tensor`; TensorFlow has no types that mypy can read."""


@dataclass(frozen=True)
class Loss:
    """A loss term: `compute(target, prediction)` on float32 (batch, height, width, classes), giving a scalar.

    Targets are 0 or 1. `wants` says what the prediction is.
    """

    wants: Literal["logits", "probabilities"]
    compute: Callable[[Tensor, Tensor], Tensor]


def _binary_crossentropy(target: Tensor, logits: Tensor) -> Tensor:
    """Mean over all pixels."""
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=target, logits=logits))


def _dice_loss(target: Tensor, probabilities: Tensor) -> Tensor:
    """1 - Dice over all pixels of the batch (Milletari et al. 2016, arXiv:1606.04797).

    Pooled over the batch, because the Dice of an empty image has no useful gradient; one pixel is added to both sides
    of the fraction, so that a batch of empty images is defined.
    """
    intersection = tf.reduce_sum(target * probabilities)
    return 1.0 - (2.0 * intersection + 1.0) / (tf.reduce_sum(target) + tf.reduce_sum(probabilities) + 1.0)


def _jaccard_loss(target: Tensor, probabilities: Tensor) -> Tensor:
    """1 - intersection over union over all pixels of the batch, smoothed as the Dice loss."""
    intersection = tf.reduce_sum(target * probabilities)
    union = tf.reduce_sum(target) + tf.reduce_sum(probabilities) - intersection
    return 1.0 - (intersection + 1.0) / (union + 1.0)


def _lovasz_loss(target: Tensor, logits: Tensor) -> Tensor:
    """Lovász hinge, mean over images (Berman et al. 2018, arXiv:1705.08790).

    The Lovász extension is linear in the hinge errors once their order is known, and the order has no gradient: so the
    slopes are computed on sorted errors and brought back to the pixels, and gradients never pass through the sort.
    """
    count = tf.shape(target)[0]
    labels = tf.reshape(target, [count, -1])
    errors = 1.0 - tf.reshape(logits, [count, -1]) * (2.0 * labels - 1.0)
    order = tf.argsort(errors, axis=1, direction="DESCENDING", stable=True)
    sorted_labels = tf.gather(labels, order, batch_dims=1)
    positives = tf.reduce_sum(labels, axis=1, keepdims=True)
    intersection = positives - tf.cumsum(sorted_labels, axis=1)
    union = positives + tf.cumsum(1.0 - sorted_labels, axis=1)
    jaccard = 1.0 - intersection / union
    slopes = tf.concat([jaccard[:, :1], jaccard[:, 1:] - jaccard[:, :-1]], axis=1)
    # One permutation of the whole batch: inverting it is cheaper than sorting the order of each image.
    pixels = tf.shape(labels)[1]
    places = tf.math.invert_permutation(tf.reshape(order + pixels * tf.range(count)[:, None], [-1]))
    slopes = tf.reshape(tf.gather(tf.reshape(slopes, [-1]), places), [count, pixels])
    return tf.reduce_mean(tf.reduce_sum(tf.nn.relu(errors) * tf.stop_gradient(slopes), axis=1))


LOSSES: dict[str, Loss] = {
    "binary_crossentropy": Loss("logits", _binary_crossentropy),
    "dice_loss": Loss("probabilities", _dice_loss),
    "jaccard_loss": Loss("probabilities", _jaccard_loss),
    "lovasz_loss": Loss("logits", _lovasz_loss),
}


def build_loss(text: str) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss of a text such as `binary_crossentropy+0.5*lovasz_loss`, from targets and logits to a scalar."""
    terms = [(term.weight, LOSSES[term.name]) for term in parse_loss(text)]

    def total(target: Tensor, logits: Tensor) -> Tensor:
        predictions = {"logits": logits, "probabilities": tf.sigmoid(logits)}
        return tf.add_n([weight * loss.compute(target, predictions[loss.wants]) for weight, loss in terms])

    return total
