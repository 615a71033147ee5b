"""The targets that losses compare with, and means that leave ignored pixels out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from toolkit.core.masks.labels import IGNORE, Activation
from toolkit.learning.runtime import tf

Tensor = Any
"""`tf.Tensor`; TensorFlow has no types that mypy can read."""

_PRESENT = 0.5
"""From this target on, a class is present in a pixel: mixing and soft labels make fractions."""


@dataclass(frozen=True)
class Truth:
    """The targets of a batch, all float32.

    `target` is (batch, height, width, classes), 0–1, and 0 in ignored pixels. `valid` is (batch, height, width, 1): 0
    in ignored pixels, 1 elsewhere. `class_weights` is (classes,), or None for equal weights. `pixel_weights` is (batch,
    height, width, 1), above 0, or None: what pixels count, for example less in images that a network has labelled.
    """

    target: Tensor
    valid: Tensor
    class_weights: Tensor | None = None
    pixel_weights: Tensor | None = None

    @property
    def image_weights(self) -> Tensor:
        """What images count, (batch, 1): the mean of their pixels; 0 if all of these are ignored."""
        known = tf.reduce_max(self.valid, axis=(1, 2))
        return known if self.pixel_weights is None else known * tf.reduce_mean(self.pixel_weights, axis=(1, 2))

    def weighted(self, values: Tensor) -> Tensor:
        """`values (batch, height, width, …)`, each times what its pixel counts."""
        return values if self.pixel_weights is None else values * self.pixel_weights

    def of_positives(self, activation: Activation) -> "Truth":
        """The truth with all pixels ignored of images without foreground; with softmax, class 0 is background."""
        foreground = self.target[..., 1:] if activation == "softmax" else self.target
        positive = tf.reduce_max(foreground, axis=(1, 2, 3), keepdims=True) >= _PRESENT
        kept = tf.cast(positive, tf.float32)
        return replace(self, target=self.target * kept, valid=self.valid * kept)

    def occurs(self, per: Literal["image", "batch"]) -> Tensor:
        """Whether each class is present in any pixel, bool (rows, classes): a row for each image, or for the batch."""
        highest = tf.reduce_max(self.target, axis=(1, 2))
        return (highest if per == "image" else tf.reduce_max(highest, axis=0, keepdims=True)) >= _PRESENT

    def where_valid(self, values: Tensor, elsewhere: float = 0.0) -> Tensor:
        """`values (batch, height, width, …)`, replaced by a constant in ignored pixels, which then have no gradient."""
        return tf.where(self.valid > 0, values, elsewhere)

    def mean_over_planes(self, values: Tensor) -> Tensor:
        """Mean of `values (batch, height, width, classes)` over pixels and classes, weighted by class."""
        weights = tf.ones(tf.shape(values)[-1:]) if self.class_weights is None else self.class_weights
        weights *= self.weighted(self.valid)
        return _mean(values * weights, weights)

    def mean_over_pixels(self, values: Tensor) -> Tensor:
        """Mean of `values (batch, height, width)` over pixels, each with the weight of its class."""
        weights = self.weighted(self.valid)[..., 0]
        if self.class_weights is not None:
            weights *= tf.reduce_sum(self.target * self.class_weights, axis=-1)
        return _mean(values * weights, weights)

    def mean_over_images(self, values: Tensor) -> Tensor:
        """Mean of `values (batch,)` over images; those of which all pixels are ignored are left out."""
        weights = self.image_weights[:, 0]
        return _mean(values * weights, weights)

    def mean_over_classes(self, values: Tensor, counted: Tensor | None = None, *, of_images: bool = True) -> Tensor:
        """Mean of `values (rows, classes)`, weighted by class, where `counted`, bool of the same shape, is true.

        Rows are images, with their weights, of which those without valid pixels are left out; or else the whole batch,
        whose pixels were weighted before.
        """
        weights = tf.ones_like(values)
        if of_images:
            weights *= self.image_weights
        if self.class_weights is not None:
            weights *= self.class_weights
        if counted is not None:
            weights *= tf.cast(counted, tf.float32)
        return _mean(values * weights, weights)


def class_planes(target: Tensor, classes: int) -> Tensor:
    """The planes of the classes, without that of the weights of the pixels."""
    return target[..., :classes]


def read_truth(target: Tensor, class_weights: Sequence[float] | None = None, classes: int | None = None) -> Truth:
    """The truth of targets (batch, height, width, classes), uint8 or floating, with IGNORE in ignored pixels.

    A further plane behind those of the `classes` has the weights of the pixels; without a number there is none.
    """
    target, pixel_weights = tf.cast(target, tf.float32), None
    if classes is not None and target.shape[-1] == classes + 1:
        target, pixel_weights = class_planes(target, classes), target[..., classes:]
    valid = target[..., :1] != IGNORE
    weights = None if class_weights is None else tf.constant(class_weights, tf.float32)
    return Truth(tf.where(valid, target, 0.0), tf.cast(valid, tf.float32), weights, pixel_weights)


def _mean(weighted: Tensor, weights: Tensor) -> Tensor:
    """The weighted mean; 0 if all weights are 0, for example in a batch of ignored pixels."""
    return tf.math.divide_no_nan(tf.reduce_sum(weighted), tf.reduce_sum(weights))
