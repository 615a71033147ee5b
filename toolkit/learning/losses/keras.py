"""The losses of tf.keras.losses, as means over the pixels that are not ignored."""

from typing import Any

from toolkit.config.keras.loss_arguments import KerasLoss
from toolkit.learning.losses.targets import Tensor, Truth
from toolkit.learning.runtime import tf


def mean_over_planes(truth: Truth, prediction: Tensor, arguments: KerasLoss) -> Tensor:
    """A loss of single values: mean over pixels and classes."""
    return truth.mean_over_planes(_loss(arguments)(truth.target[..., None], prediction[..., None]))


def mean_over_pixels(truth: Truth, prediction: Tensor, arguments: KerasLoss) -> Tensor:
    """A loss of vectors with one value per class: mean over pixels."""
    return truth.mean_over_pixels(_loss(arguments)(truth.target, prediction))


def mean_of_margins(truth: Truth, logits: Tensor, arguments: KerasLoss) -> Tensor:
    """A hinge loss, whose targets are -1 and 1: mean over pixels and classes."""
    return truth.mean_over_planes(_loss(arguments)(2 * truth.target[..., None] - 1, logits[..., None]))


def mean_of_class_numbers(truth: Truth, logits: Tensor, arguments: KerasLoss) -> Tensor:
    """A loss whose target is the number of the class: mean over pixels."""
    return truth.mean_over_pixels(_loss(arguments)(tf.argmax(truth.target, axis=-1), logits))


def _loss(arguments: KerasLoss) -> Any:
    """The loss of Keras that the class of its arguments is named after, without its mean."""
    given = arguments.model_dump(exclude={"reduction"})
    if "from_logits" in given:
        given["from_logits"] = True  # see KERAS_LOSSES
    return getattr(tf.keras.losses, type(arguments).__name__)(reduction="none", **given)
