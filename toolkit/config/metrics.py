"""How config.yaml names metrics: `dice`, `val_iou`, `{fbeta: {beta: 2, empty: skip}}`."""

import re
from collections.abc import Collection
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo

from toolkit.config.yaml.error_texts import describe_problems
from toolkit.config.yaml.fields import own_names
from toolkit.config.yaml.named_calls import (
    Call,
    ClosedModel,
    ProblemsAtError,
    UnknownNameError,
    checked_call,
    is_own,
    read_call,
)
from toolkit.config.yaml.yaml_files import Document, Position, read_value
from toolkit.core.metrics.metric import Empty
from toolkit.core.metrics.registry import METRICS, MetricSpec
from toolkit.errors import ConfigError


class MetricArguments(ClosedModel):
    """Arguments that every metric takes."""

    empty: Empty | None = Field(
        None,
        description="What two empty masks score: `one`, `zero`, or `skip` to leave them out; the metric's own rule if "
        "left out.",
    )


class FbetaArguments(MetricArguments):
    """Arguments of fbeta."""

    beta: Annotated[float, Field(gt=0, allow_inf_nan=False)] = Field(
        1.0, description="How many times as much recall counts as precision."
    )


ARGUMENTS: dict[str, type[MetricArguments]] = dict.fromkeys(METRICS, MetricArguments) | {"fbeta": FbetaArguments}
"""What each metric takes."""

OTHER_NAMES: dict[str, tuple[str, dict[str, Any]]] = {
    "binary_accuracy": ("pixel_accuracy", {}),
    "accuracy": ("pixel_accuracy", {}),
    "f1": ("fbeta", {"beta": 1.0}),
    "f2": ("fbeta", {"beta": 2.0}),
    "f0.5": ("fbeta", {"beta": 0.5}),
}
"""Names that stand for a metric with some arguments."""

_PREFIX = "val_"
_LABEL = re.compile(r"(?P<name>[^()]+)\((?P<arguments>[^()]*)\)")


def parse_metric(value: Any, own: Collection[str] = ()) -> MetricSpec:
    """Read a metric: a name, `{name: {argument: value}}`, or the label of another `MetricSpec`.

    Keras' prefix `val_` is dropped: every metric here is one of images that were not trained on.

    Args:
        value: what the configuration says.
        own: names of metrics that the user's plugins.py defines; dotted paths are taken as well.

    Raises:
        ValueError: the name or an argument is unknown or wrong; a `ProblemsAtError` where it is known which.
    """
    spec = read_metric(value)
    if spec.is_plugin and not is_own(spec.name, own):
        call = _call(value)
        raise ProblemsAtError([(call.path, UnknownNameError(spec.name, [*METRICS, *OTHER_NAMES, *own]), None)])
    return spec


def read_metric(value: Any) -> MetricSpec:
    """Like `parse_metric`, but taking every unknown name for one of the user's own: for what was checked before."""
    call = _call(value)
    name, given = _known(call.name)
    if name not in ARGUMENTS:
        return MetricSpec(name, tuple(call.arguments.items()))
    repeated = sorted(given.keys() & call.arguments.keys())
    if repeated:
        raise ProblemsAtError([((*call.path, repeated[0]), ValueError(f"{call.name} says so already"), None)])
    arguments = checked_call(Call(name, {**call.arguments, **given}, call.path), ARGUMENTS)
    chosen = {} if arguments is None or arguments.empty in (None, METRICS[name].empty) else {"empty": arguments.empty}
    beta = {"beta": arguments.beta} if isinstance(arguments, FbetaArguments) else {}
    return MetricSpec(name, tuple((beta | chosen).items()))


def _checked(value: Any, info: ValidationInfo) -> MetricSpec:
    return parse_metric(value, own_names(info))


class _Named(ClosedModel):
    metric: Annotated[Any, AfterValidator(_checked)]


def parse_metric_text(text: str, source: str, own: Collection[str] = ()) -> MetricSpec:
    """Read a metric from the command line: a YAML value such as `dice` or `{fbeta: {beta: 2}}`; `own` as above.

    Raises:
        ConfigError: it is none; the message begins with `source`, the name of the option.
    """
    tree = {"metric": read_value(text, source)}
    try:
        named = _Named.model_validate(tree, context={"own": own})
    except ValidationError as error:
        document = Document(tree, {("metric",): Position(source, 0)})
        raise ConfigError("\n".join(describe_problems(error, _Named, document, source))) from error
    spec: MetricSpec = named.metric
    return spec


def _known(name: str) -> tuple[str, dict[str, Any]]:
    """A built-in metric and the arguments that a name stands for; the name as it is where it means none."""
    bare = name.removeprefix(_PREFIX)
    return OTHER_NAMES.get(bare, (bare, {}))


def _call(value: Any) -> Call:
    match = _LABEL.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return read_call(value)
    arguments = {}
    for part in filter(None, match["arguments"].split(";")):
        key, equals, text = part.partition("=")
        if not equals:
            raise ValueError(f"expected NAME or NAME(argument=value; …), received {value!r}")
        arguments[key.strip()] = read_value(text.strip(), f"{match['name']}({key.strip()})")
    return Call(match["name"].strip(), arguments)
