"""The metrics of tf.keras.metrics by name; scores are computed from their states."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from toolkit.config.keras.function_names import function_names
from toolkit.config.keras.metric_arguments import KerasMetric, find_keras_metric
from toolkit.core.metrics.stateful import StatefulKind
from toolkit.learning.runtime import tf


def keras_metric(name: str) -> StatefulKind:
    """The metric of a class or function of tf.keras.metrics.

    Raises:
        KeyError: there is no such metric.
    """
    kind = find_keras_metric(name)
    if kind is None:
        raise KeyError(name)

    def whole(arguments: Mapping[str, Any]) -> bool:
        return kind.model_validate(dict(arguments)).compares_all_classes()

    return StatefulKind(partial(_create, kind), kind.sees, kind.direction, whole)


def _create(kind: type[KerasMetric], **arguments: Any) -> Any:
    given = kind.model_validate(arguments).model_dump()
    options = {key: list(value) if isinstance(value, tuple) else value for key, value in given.items()}
    if "from_logits" in options:
        options["from_logits"] = False  # metrics get probabilities
    return _maker(kind.__name__)(**options)


def _maker(name: str) -> Callable[..., Any]:
    """The class of this name; for a function that has none, the mean of its values."""
    found = getattr(tf.keras.metrics, name, None)
    if found is not None:
        return found  # type: ignore[no-any-return]
    (function, *_) = function_names([name])
    return partial(tf.keras.metrics.MeanMetricWrapper, getattr(tf.keras.metrics, function))
