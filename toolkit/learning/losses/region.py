"""Losses that measure the overlap of regions, class by class: Dice, Jaccard, Tversky, focal Tversky."""

from typing import NamedTuple

from toolkit.config.training.losses import FocalTverskyArguments, RegionArguments, TverskyArguments
from toolkit.learning.losses.targets import Tensor, Truth
from toolkit.learning.runtime import tf

_STRAIGHT_BELOW = 1e-7  # the smallest difference from 1 that float32 resolves


class _Overlap(NamedTuple):
    """Numbers of pixels, each `float32 (rows, classes)`: one row for the batch, or one for each image."""

    both: Tensor
    target: Tensor
    predicted: Tensor


def dice_loss(truth: Truth, probabilities: Tensor, arguments: RegionArguments) -> Tensor:
    """1 - Dice (Milletari et al. 2016, arXiv:1606.04797).

    Over the whole batch by default, because the Dice of an empty image has no useful gradient.
    """
    overlap, smooth = _overlap(truth, probabilities, arguments), arguments.smooth
    dice = (2 * overlap.both + smooth) / (overlap.target + overlap.predicted + smooth)
    return _mean(truth, 1 - dice, arguments)


def jaccard_loss(truth: Truth, probabilities: Tensor, arguments: RegionArguments) -> Tensor:
    """1 - intersection over union."""
    overlap, smooth = _overlap(truth, probabilities, arguments), arguments.smooth
    union = overlap.target + overlap.predicted - overlap.both
    return _mean(truth, 1 - (overlap.both + smooth) / (union + smooth), arguments)


def tversky_loss(truth: Truth, probabilities: Tensor, arguments: TverskyArguments) -> Tensor:
    """1 - Tversky index, which weighs false positives and negatives (Salehi et al. 2017, arXiv:1706.05721)."""
    overlap = _overlap(truth, probabilities, arguments)
    return _mean(truth, _tversky(overlap, arguments), arguments)


def focal_tversky_loss(truth: Truth, probabilities: Tensor, arguments: FocalTverskyArguments) -> Tensor:
    """(1 - Tversky index)^(1/gamma), which gives less weight to classes that are nearly right (arXiv:1810.07842).

    In that paper alpha weighs the false negatives; here it weighs the false positives, as in the Tversky loss.
    """
    overlap = _overlap(truth, probabilities, arguments)
    return _mean(truth, _root(_tversky(overlap, arguments), 1 / arguments.gamma), arguments)


def _overlap(truth: Truth, probabilities: Tensor, arguments: RegionArguments) -> _Overlap:
    probabilities, target = truth.where_valid(probabilities), truth.target
    if arguments.per == "batch":
        probabilities, target = truth.weighted(probabilities), truth.weighted(target)
    axes = (1, 2) if arguments.per == "image" else (0, 1, 2)
    sums = [tf.reduce_sum(each, axis=axes) for each in (truth.target * probabilities, target, probabilities)]
    return _Overlap(*(each if arguments.per == "image" else each[None] for each in sums))


def _tversky(overlap: _Overlap, arguments: TverskyArguments) -> Tensor:
    """1 - Tversky index of each row and class."""
    false_positives, false_negatives = overlap.predicted - overlap.both, overlap.target - overlap.both
    wrong = arguments.alpha * false_positives + arguments.beta * false_negatives
    return 1 - (overlap.both + arguments.smooth) / (overlap.both + wrong + arguments.smooth)


def _root(values: Tensor, exponent: float) -> Tensor:
    """`values ** exponent`, but a straight line near 0, where the slope is infinite for exponents below 1."""
    power = tf.maximum(values, _STRAIGHT_BELOW) ** exponent
    return tf.where(values > _STRAIGHT_BELOW, power, values * _STRAIGHT_BELOW ** (exponent - 1))


def _mean(truth: Truth, values: Tensor, arguments: RegionArguments) -> Tensor:
    counted = truth.occurs(arguments.per) if arguments.positives_only else None
    return truth.mean_over_classes(values, counted, of_images=arguments.per == "image")
