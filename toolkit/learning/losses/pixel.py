"""Losses that are a mean over pixels: cross-entropies, focal losses, squared and absolute error."""

from toolkit.config.training.losses import CrossentropyArguments, FocalArguments, NoArguments
from toolkit.learning.losses.targets import Tensor, Truth
from toolkit.learning.runtime import tf

_SMALLEST_BASE = 1e-7  # of powers, because their slope at 0 may be infinite


def binary_crossentropy(truth: Truth, logits: Tensor, arguments: CrossentropyArguments) -> Tensor:
    """Mean over pixels and classes, each class by itself."""
    labels = truth.target * (1 - arguments.label_smoothing) + arguments.label_smoothing / 2
    return truth.mean_over_planes(tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits))


def categorical_crossentropy(truth: Truth, logits: Tensor, arguments: CrossentropyArguments) -> Tensor:
    """Mean over pixels, for exclusive classes."""
    smoothing = arguments.label_smoothing
    labels = truth.target * (1 - smoothing) + smoothing / truth.target.shape[-1]
    return truth.mean_over_pixels(tf.nn.softmax_cross_entropy_with_logits(labels=labels, logits=logits))


def binary_focal(truth: Truth, logits: Tensor, arguments: FocalArguments) -> Tensor:
    """Mean over pixels and classes of -(1-p)^gamma log p, where p is the probability of the truth (arXiv:1708.02002).

    Written with softplus(x) = -log(sigmoid(-x)), which neither overflows nor has an infinite slope. A fractional target
    is the weighted mean of the losses for 0 and 1.
    """
    wrong = tf.math.softplus(logits)  # -log of the probability of background
    right = wrong - logits  # -log of the probability of foreground
    foreground = tf.exp(-arguments.gamma * wrong) * right
    background = tf.exp(-arguments.gamma * right) * wrong
    if arguments.alpha is not None:
        foreground, background = arguments.alpha * foreground, (1 - arguments.alpha) * background
    return truth.mean_over_planes(truth.target * foreground + (1 - truth.target) * background)


def categorical_focal(truth: Truth, logits: Tensor, arguments: FocalArguments) -> Tensor:
    """The focal loss for exclusive classes, mean over pixels."""
    log_probability = tf.nn.log_softmax(logits)
    rest = tf.maximum(1 - tf.exp(log_probability), _SMALLEST_BASE)
    return truth.mean_over_pixels(-tf.reduce_sum(truth.target * rest**arguments.gamma * log_probability, axis=-1))


def mse_loss(truth: Truth, probabilities: Tensor, _: NoArguments) -> Tensor:
    """Mean squared difference of probability and target."""
    return truth.mean_over_planes(tf.square(probabilities - truth.target))


def mae_loss(truth: Truth, probabilities: Tensor, _: NoArguments) -> Tensor:
    """Mean absolute difference of probability and target."""
    return truth.mean_over_planes(tf.abs(probabilities - truth.target))


def presence_crossentropy(truth: Truth, logits: Tensor, arguments: CrossentropyArguments) -> Tensor:
    """Binary cross-entropy of the presence head, `logits (batch, classes)`: whether each class occurs in the image.

    Images in which all pixels are ignored are left out.
    """
    occurs = tf.reduce_max(truth.target, axis=(1, 2))
    labels = occurs * (1 - arguments.label_smoothing) + arguments.label_smoothing / 2
    values = tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits)
    return truth.mean_over_classes(values)
