"""The arguments of the losses of tf.keras, with Keras's names and defaults (tf-keras 2.21)."""

from typing import Literal

from pydantic import Field

from toolkit.config.yaml.closed_model import ClosedModel
from toolkit.config.yaml.fields import NotNegative, PositiveNumber, Share, ShareBelowOne


class KerasLoss(ClosedModel):
    """The arguments of a loss of Keras that has no others. The name of the class is Keras's."""

    reduction: Literal["auto", "sum_over_batch_size"] = Field(
        "auto", description="The mean over pixels, which alone is possible here."
    )


class _Crossentropy(KerasLoss):
    from_logits: bool = Field(False, description="Accepted for compatibility: logits are used in any case.")
    axis: Literal[-1] = Field(-1, description="The axis of the classes.")


class BinaryCrossentropy(_Crossentropy):
    """Cross-entropy of each class by itself."""

    label_smoothing: ShareBelowOne = Field(0.0, description="Share of each target that is spread over both values.")


class BinaryFocalCrossentropy(BinaryCrossentropy):
    """The focal loss of each class by itself."""

    apply_class_balancing: bool = Field(False, description="Whether `alpha` is applied.")
    alpha: Share = Field(0.25, description="Weight of foreground; background gets 1 - alpha.")
    gamma: NotNegative = Field(2.0, description="How strongly well-classified pixels are down-weighted.")


class CategoricalCrossentropy(BinaryCrossentropy):
    """Cross-entropy of exclusive classes."""


class CategoricalFocalCrossentropy(BinaryCrossentropy):
    """The focal loss of exclusive classes."""

    alpha: NotNegative = Field(0.25, description="Factor of the loss.")
    gamma: NotNegative = Field(2.0, description="How strongly well-classified pixels are down-weighted.")


class SparseCategoricalCrossentropy(KerasLoss):
    """Cross-entropy of exclusive classes, whose target is the number of the class."""

    from_logits: bool = Field(False, description="Accepted for compatibility: logits are used in any case.")


class Huber(KerasLoss):
    """Squared difference up to `delta`, linear beyond."""

    delta: PositiveNumber = Field(1.0, description="Difference from which the loss is linear.")


class CosineSimilarity(KerasLoss):
    """Minus the cosine of the angle between target and probabilities."""

    axis: Literal[-1] = Field(-1, description="The axis of the classes.")


class CategoricalHinge(KerasLoss):
    """The margin between the true class and the best wrong one."""


class Hinge(KerasLoss):
    """1 - target · logit where positive, with targets -1 and 1."""


class SquaredHinge(KerasLoss):
    """The square of `Hinge`."""


class KLDivergence(KerasLoss):
    """Kullback-Leibler divergence."""


class LogCosh(KerasLoss):
    """Logarithm of the hyperbolic cosine of the difference."""


class MeanAbsoluteError(KerasLoss):
    """Absolute difference."""


class MeanAbsolutePercentageError(KerasLoss):
    """Absolute difference in percent of the target."""


class MeanSquaredError(KerasLoss):
    """Squared difference."""


class MeanSquaredLogarithmicError(KerasLoss):
    """Squared difference of log(1 + x)."""


class Poisson(KerasLoss):
    """Probability - target · log(probability)."""
