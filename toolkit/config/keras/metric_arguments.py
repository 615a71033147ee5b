"""The metrics of tf.keras that a configuration may name, with Keras's arguments and defaults (tf-keras 2.21)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from toolkit.config.keras.function_names import function_names
from toolkit.config.yaml.closed_model import ClosedModel
from toolkit.config.yaml.fields import (
    Count,
    InnerShare,
    NotNegative,
    PositiveInteger,
    PositiveNumber,
    Share,
    ShareBelowOne,
)
from toolkit.core.masks.labels import Activation
from toolkit.core.metrics.metric import Direction
from toolkit.core.metrics.stateful import Sees

ThresholdCount = Annotated[int, Field(gt=0, le=10_000)]
Thresholds = Share | tuple[Share, ...] | None


class KerasMetric(ClosedModel):
    """The arguments of a metric of Keras that has none. The name of the class is Keras's.

    Attributes:
        direction: whether larger or smaller is better.
        sees: what it compares with the truth.
        activation: the only one that it makes sense with; None for both.
        whole: whether it compares all classes, so that it cannot be restricted to some.
    """

    direction: ClassVar[Direction] = "max"
    sees: ClassVar[Sees] = "probabilities"
    activation: ClassVar[Activation | None] = None
    whole: ClassVar[bool] = False

    def compares_all_classes(self) -> bool:
        """Whether the metric with these arguments cannot be restricted to some of the classes."""
        return (
            self.whole
            or any(getattr(self, name, None) for name in ("top_k", "multi_label", "label_weights"))
            or (getattr(self, "class_id", None) is not None)
        )


class _Exclusive(KerasMetric):
    activation = "softmax"
    whole = True


class _Cost(KerasMetric):
    direction = "min"


class _ExclusiveCost(_Exclusive):
    direction = "min"


class _Crossentropy(ClosedModel):
    from_logits: bool = Field(False, description="Accepted for compatibility: metrics get probabilities.")


class _Smoothed(_Crossentropy):
    label_smoothing: ShareBelowOne = Field(0.0, description="Share of each target that is spread over the classes.")


class _Counting(KerasMetric):
    thresholds: Thresholds = Field(None, description="Probability from which a pixel is foreground; 0.5 by default.")


class _ForClass(KerasMetric):
    class_id: Count | None = Field(None, description="The only class that counts, from 0.")


class _AtPoint(_ForClass):
    num_thresholds: ThresholdCount = Field(200, description="Number of thresholds that are tried.")


class _Rated(_Counting, _ForClass):
    top_k: PositiveInteger | None = Field(None, description="Only the k most probable classes of a pixel count.")


class AUC(KerasMetric):
    """Area under the curve."""

    num_thresholds: ThresholdCount = Field(200, description="Number of thresholds of the curve.")
    curve: Literal["ROC", "PR"] = Field("ROC", description="Receiver operating characteristic or precision-recall.")
    summation_method: Literal["interpolation", "majoring", "minoring"] = Field("interpolation", description="The sum.")
    thresholds: tuple[Share, ...] | None = Field(None, description="Thresholds, instead of `num_thresholds`.")
    multi_label: bool = Field(False, description="The mean of one curve per class.")
    num_labels: PositiveInteger | None = Field(None, description="Number of classes, with `multi_label`.")
    label_weights: tuple[NotNegative, ...] | None = Field(None, description="Weights of classes, with `multi_label`.")
    from_logits: bool = Field(False, description="Accepted for compatibility: metrics get probabilities.")


class Accuracy(KerasMetric):
    """Share of equal values of the masks."""

    sees = "masks"


class BinaryAccuracy(KerasMetric):
    """Share of pixels and classes on the right side of a threshold."""

    threshold: Share = Field(0.5, description="Probability from which a pixel is foreground.")


class BinaryCrossentropy(_Cost, _Smoothed):
    """Cross-entropy of each class by itself."""


class BinaryFocalCrossentropy(_Cost, _Smoothed):
    """The focal loss of each class by itself."""

    apply_class_balancing: bool = Field(False, description="Whether `alpha` is applied.")
    alpha: Share = Field(0.25, description="Weight of foreground; background gets 1 - alpha.")
    gamma: NotNegative = Field(2.0, description="How strongly well-classified pixels are down-weighted.")


class BinaryIoU(KerasMetric):
    """IoU of foreground, of background, or the mean of both."""

    target_class_ids: tuple[Literal[0, 1], ...] = Field((0, 1), description="0: background, 1: foreground.")
    threshold: Share = Field(0.5, description="Probability from which a pixel is foreground.")


class CategoricalAccuracy(_Exclusive):
    """Share of pixels whose most probable class is the true one."""


class CategoricalCrossentropy(_ExclusiveCost, _Smoothed):
    """Cross-entropy of exclusive classes."""

    axis: Literal[-1] = Field(-1, description="The axis of the classes.")


class CategoricalFocalCrossentropy(_ExclusiveCost, _Smoothed):
    """The focal loss of exclusive classes."""

    alpha: NotNegative = Field(0.25, description="Factor.")
    gamma: NotNegative = Field(2.0, description="How strongly well-classified pixels are down-weighted.")


class CategoricalHinge(_ExclusiveCost):
    """The margin between the true class and the best wrong one."""


class CosineSimilarity(_Exclusive):
    """The cosine of the angle between target and probabilities."""

    axis: Literal[-1] = Field(-1, description="The axis of the classes.")


class FBetaScore(KerasMetric):
    """F-measure; without `average` the mean over the classes, which are also shown one by one."""

    whole = True
    average: Literal["micro", "macro", "weighted"] | None = Field(None, description="How classes are combined.")
    beta: PositiveNumber = Field(1.0, description="Weight of recall relative to precision.")
    threshold: InnerShare | None = Field(
        None, description="Probability above which a pixel is foreground; by default the most probable class."
    )


class F1Score(KerasMetric):
    """As FBetaScore, with beta 1."""

    whole = True
    average: Literal["micro", "macro", "weighted"] | None = Field(None, description="How classes are combined.")
    threshold: InnerShare | None = Field(
        None, description="Probability above which a pixel is foreground; by default the most probable class."
    )


class FalseNegatives(_Counting):
    """Number of pixels."""

    direction = "min"


class FalsePositives(_Counting):
    """Number of pixels."""

    direction = "min"


class TrueNegatives(_Counting):
    """Number of pixels."""


class TruePositives(_Counting):
    """Number of pixels."""


class Hinge(_Cost):
    """1 - target · probability where positive, with targets -1 and 1."""


class SquaredHinge(_Cost):
    """The square of `Hinge`."""


class MeanIoU(KerasMetric):
    """Mean over the classes of the IoU of class numbers; with sigmoid, of background (0) and foreground (1)."""

    sees = "numbers"
    whole = True
    num_classes: PositiveInteger = Field(description="Number of classes; 2 with sigmoid.")


class IoU(MeanIoU):
    """As `MeanIoU`, of some classes."""

    target_class_ids: tuple[Count, ...] = Field(description="The classes whose mean is taken.", min_length=1)

    @model_validator(mode="after")
    def _known_classes(self) -> "IoU":
        if max(self.target_class_ids) >= self.num_classes:
            raise ValueError(f"target_class_ids must be below num_classes, {self.num_classes}")
        return self


class OneHotMeanIoU(_Exclusive):
    """Mean over the classes of the IoU of the most probable class."""

    num_classes: PositiveInteger = Field(description="Number of classes.")


class OneHotIoU(OneHotMeanIoU):
    """As `OneHotMeanIoU`, of some classes."""

    target_class_ids: tuple[Count, ...] = Field(description="The classes whose mean is taken.", min_length=1)


class KLDivergence(_ExclusiveCost):
    """Kullback-Leibler divergence."""


class LogCoshError(_Cost):
    """Logarithm of the hyperbolic cosine of the difference."""


class MeanAbsoluteError(_Cost):
    """Absolute difference."""


class MeanAbsolutePercentageError(_Cost):
    """Absolute difference in percent of the target."""


class MeanSquaredError(_Cost):
    """Squared difference."""


class MeanSquaredLogarithmicError(_Cost):
    """Squared difference of log(1 + x)."""


class RootMeanSquaredError(_Cost):
    """The root of the mean squared difference."""


class Poisson(_Cost):
    """Probability - target · log(probability)."""


class Precision(_Rated):
    """Share of the predicted pixels that are true."""


class Recall(_Rated):
    """Share of the true pixels that are predicted."""


class PrecisionAtRecall(_AtPoint):
    """The best precision where recall is at least this."""

    recall: Share = Field(description="The recall that is wanted.")


class RecallAtPrecision(_AtPoint):
    """The best recall where precision is at least this."""

    precision: Share = Field(description="The precision that is wanted.")


class SensitivityAtSpecificity(_AtPoint):
    """The best sensitivity where specificity is at least this."""

    specificity: Share = Field(description="The specificity that is wanted.")


class SpecificityAtSensitivity(_AtPoint):
    """The best specificity where sensitivity is at least this."""

    sensitivity: Share = Field(description="The sensitivity that is wanted.")


class R2Score(KerasMetric):
    """Share of the variance of the target that is explained."""

    whole = True
    class_aggregation: Literal["uniform_average", "variance_weighted_average"] | None = Field(
        "uniform_average", description="How classes are combined."
    )
    num_regressors: Count = Field(0, description="Number of regressors, for the adjusted score.")


class SparseCategoricalAccuracy(_Exclusive):
    """As `CategoricalAccuracy`, with the number of the true class."""

    sees = "number and probabilities"


class SparseCategoricalCrossentropy(_ExclusiveCost, _Crossentropy):
    """As `CategoricalCrossentropy`, with the number of the true class."""

    sees = "number and probabilities"
    axis: Literal[-1] = Field(-1, description="The axis of the classes.")


class TopKCategoricalAccuracy(_Exclusive):
    """Share of pixels whose true class is among the k most probable ones."""

    k: PositiveInteger = Field(5, description="How many classes may be right.")


class SparseTopKCategoricalAccuracy(TopKCategoricalAccuracy):
    """As `TopKCategoricalAccuracy`, with the number of the true class."""

    sees = "number and probabilities"


_WITH_FUNCTION: tuple[type[KerasMetric], ...] = (
    BinaryAccuracy,
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalAccuracy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    Hinge,
    KLDivergence,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    SparseCategoricalAccuracy,
    SparseCategoricalCrossentropy,
    SparseTopKCategoricalAccuracy,
    SquaredHinge,
    TopKCategoricalAccuracy,
)

_WITHOUT_FUNCTION: tuple[type[KerasMetric], ...] = (
    AUC,
    Accuracy,
    BinaryIoU,
    CategoricalHinge,
    CosineSimilarity,
    F1Score,
    FBetaScore,
    FalseNegatives,
    FalsePositives,
    IoU,
    LogCoshError,
    MeanIoU,
    OneHotIoU,
    OneHotMeanIoU,
    Precision,
    PrecisionAtRecall,
    R2Score,
    Recall,
    RecallAtPrecision,
    RootMeanSquaredError,
    SensitivityAtSpecificity,
    SpecificityAtSensitivity,
    TrueNegatives,
    TruePositives,
)

KERAS_METRICS: dict[str, type[KerasMetric]] = {kind.__name__: kind for kind in (*_WITHOUT_FUNCTION, *_WITH_FUNCTION)}
"""The metrics of tf.keras.metrics by the name of their class."""

KERAS_METRIC_FUNCTIONS = function_names(kind.__name__ for kind in _WITH_FUNCTION) | {
    "log_cosh": "LogCoshError",
    "logcosh": "LogCoshError",
}
"""The class that computes the mean of each function of tf.keras.metrics."""


def find_keras_metric(name: str) -> type[KerasMetric] | None:
    """The arguments of a metric by the name of its class or function; None if there is no such metric."""
    return KERAS_METRICS.get(KERAS_METRIC_FUNCTIONS.get(name, name))
