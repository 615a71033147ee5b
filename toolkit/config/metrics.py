"""The names of metrics: `dice`, `val_iou`, `{fbeta: {beta: 2, empty: skip}}`."""

import re
from collections.abc import Collection
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, create_model

from toolkit.config.keras.metric_arguments import KERAS_METRICS, F1Score, FBetaScore, KerasMetric, find_keras_metric
from toolkit.config.yaml.closed_model import ClosedModel
from toolkit.config.yaml.error_texts import describe_problems
from toolkit.config.yaml.fields import plugin_names
from toolkit.config.yaml.named_calls import Call, checked_arguments, checked_call, is_plugin, read_call, unknown_at
from toolkit.config.yaml.plugin_names import names_of_kind
from toolkit.config.yaml.yaml_files import Document, Position, read_value
from toolkit.core.masks.labels import Activation
from toolkit.core.metrics.metric import Empty, MetricKind
from toolkit.core.metrics.registry import METRICS, MetricSpec
from toolkit.errors import ConfigError


class MetricArguments(ClosedModel):
    """Arguments of every metric."""

    empty: Empty | None = Field(
        None,
        description="Score of two empty masks: `one`, `zero`, or `skip` to leave them out. The default depends on the "
        "metric.",
    )


def _model_of(name: str, kind: MetricKind) -> type[MetricArguments]:
    fields: dict[str, Any] = {
        key: (
            Annotated[float, Field(gt=argument.above, lt=argument.below, allow_inf_nan=False)],
            Field(argument.default, description=argument.description),
        )
        for key, argument in kind.arguments.items()
    }
    return create_model(name, __base__=MetricArguments, **fields) if fields else MetricArguments


_MODELS = {name: _model_of(name, kind) for name, kind in METRICS.items()}

_KERAS_NAMES = {"binary_accuracy": "pixel_accuracy"}
_KERAS_PREFIX = "val_"
_LABEL = re.compile(r"(?P<name>[^()]+)\((?P<arguments>[^()]*)\)")


def parse_metric(value: Any, plugins: Collection[str] = ()) -> MetricSpec:
    """Read a metric: a name, `{name: {argument: value}}`, or the label of a `MetricSpec`.

    Names are those of the toolkit's metrics, of plugins, and of the classes and functions of tf.keras.metrics; where
    one name means several, the first of these is meant. Keras's prefix `val_` is dropped: every metric is computed on
    validation images.

    Args:
        value: what the configuration says.
        plugins: names of metrics that the user's plugins.py defines; dotted paths are accepted as well.

    Raises:
        ValueError: the name or an argument is invalid; a `ProblemsAtError` where its key path is known.
    """
    spec = read_metric(value)
    if spec.is_plugin and not is_plugin(spec.name, plugins):
        path, keras = _call(value).path, find_keras_metric(spec.name)
        if keras is None:
            raise unknown_at(
                path, spec.name, [*METRICS, *_KERAS_NAMES, *KERAS_METRICS, *names_of_kind("loss", plugins)]
            )
        checked_arguments(Call(spec.name, dict(spec.arguments), path), keras)
    return spec


def check_metric(value: Any, activation: Activation, classes: int, plugins: Collection[str] = ()) -> None:
    """Check that a metric that was checked before fits the classes.

    Raises:
        ValueError: it does not.
    """
    spec = read_metric(value)
    keras = find_keras_metric(spec.name) if spec.is_plugin and not is_plugin(spec.name, plugins) else None
    if keras is not None:
        _check_keras(spec.name, keras.model_validate(dict(spec.arguments)), activation, classes)


def read_metric(value: Any) -> MetricSpec:
    """Read a metric that was checked before: like `parse_metric`, but an unknown name is taken for a plugin."""
    call = _call(value)
    bare = call.name.removeprefix(_KERAS_PREFIX)
    name = _KERAS_NAMES.get(bare, bare)
    arguments = checked_call(Call(name, call.arguments, call.path), _MODELS) if name in METRICS else None
    if arguments is None:
        return MetricSpec(name, tuple(call.arguments.items()))
    kind = METRICS[name]
    chosen = {key: getattr(arguments, key) for key in kind.arguments}
    if arguments.empty not in (None, kind.empty):
        chosen["empty"] = arguments.empty
    return MetricSpec(name, tuple(chosen.items()))


def _check_keras(name: str, arguments: KerasMetric, activation: Activation, classes: int) -> None:
    """Check that a metric fits the classes.

    Raises:
        ValueError: it does not.
    """
    if arguments.activation not in (None, activation):
        other = {"CategoricalAccuracy": "BinaryAccuracy", "CategoricalCrossentropy": "BinaryCrossentropy"}
        instead = f"; use {other[name]}" if name in other else ""
        raise ValueError(f"{name} is for exclusive classes (activation: softmax), received {activation}{instead}")
    numbers = classes if activation == "softmax" else 2
    if getattr(arguments, "num_classes", numbers) != numbers:
        why = f"there are {classes} classes" if activation == "softmax" else "background and foreground, with sigmoid"
        raise ValueError(f"{name}: num_classes must be {numbers} ({why}), received {arguments.num_classes}")  # type: ignore[attr-defined]
    if isinstance(arguments, F1Score | FBetaScore) and activation == "sigmoid" and arguments.threshold is None:
        raise ValueError(
            f"{name} without a threshold takes the most probable class, so it is for softmax; with sigmoid, set "
            "threshold: 0.5"
        )
    class_id = getattr(arguments, "class_id", None)
    if class_id is not None and class_id >= classes:
        raise ValueError(f"{name}: class_id must be below {classes}, the number of classes, received {class_id}")


def _checked(value: Any, info: ValidationInfo) -> MetricSpec:
    return parse_metric(value, plugin_names(info))


class _Named(ClosedModel):
    metric: Annotated[Any, AfterValidator(_checked)]


def parse_metric_text(text: str, source: str, plugins: Collection[str] = ()) -> MetricSpec:
    """Read a metric from the command line.

    Args:
        text: a YAML value, for example `dice` or `{fbeta: {beta: 2}}`.
        source: the name of the option, which begins the message of an error.
        plugins: names of metrics that the user's plugins.py defines.

    Raises:
        ConfigError: the text is not a metric.
    """
    tree = {"metric": read_value(text, source)}
    try:
        named = _Named.model_validate(tree, context={"plugins": plugins})
    except ValidationError as error:
        document = Document(tree, {("metric",): Position(source, 0)})
        raise ConfigError("\n".join(describe_problems(error, _Named, document, source))) from error
    spec: MetricSpec = named.metric
    return spec


def _call(value: Any) -> Call:
    match = _LABEL.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return read_call(value)
    arguments = {}
    for part in filter(None, match["arguments"].split(";")):
        key, equals, text = part.partition("=")
        if not equals:
            raise ValueError(f"expected NAME or NAME(argument=value; …), received {value!r}")
        arguments[key.strip()] = _value(text.strip(), f"{match['name']}({key.strip()})")
    return Call(match["name"].strip(), arguments)


def _value(text: str, source: str) -> Any:
    """A value in a label, whose lists have no commas: `[0 1]`."""
    return read_value(", ".join(text.split()) if text.startswith("[") else text, source)
