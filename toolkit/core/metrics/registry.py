"""The metrics by name, and how to build them for the classes of an experiment."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast, get_args

import numpy as np

from toolkit.core.arrays import Floats, Mask, Planes
from toolkit.core.masks.labels import Activation
from toolkit.core.metrics.area import AREA_METRICS
from toolkit.core.metrics.instance import INSTANCE_METRICS
from toolkit.core.metrics.metric import Case, Direction, Metric, MetricKind, mean, mean_of_draws
from toolkit.core.metrics.stacks import STACK_METRICS, DiceHausdorff
from toolkit.core.metrics.stateful import Sees, StatefulKind
from toolkit.errors import ConfigError, not_valid, raised_by

PluginCallable = Callable[[Planes, Planes, Mask], float]
"""A metric from plugins: takes prediction and truth, `bool (height, width, classes)`, and a mask of the pixels that are
not ignored; returns a number."""


@dataclass(frozen=True)
class MetricSpec:
    """A metric as the configuration names it, after checking.

    `name` is a key of `METRICS` or the name of a metric from plugins. `arguments` holds names and values that differ
    from the defaults; those of `MetricKind.arguments` (β) are always included.
    """

    name: str
    arguments: tuple[tuple[str, Any], ...] = ()

    @property
    def label(self) -> str:
        """The canonical text without commas: `dice`, `fbeta(beta=0.5; empty=skip)`, `AUC(thresholds=[0.2 0.5])`."""
        if not self.arguments:
            return self.name
        words = "; ".join(f"{key}={_written(value)}" for key, value in self.arguments)
        return f"{self.name}({words})".replace(",", " ")

    @property
    def is_plugin(self) -> bool:
        """Whether the metric comes from plugins."""
        return self.name not in METRICS


def _written(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{' '.join(map(_written, value))}]"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


METRICS: dict[str, MetricKind] = {**AREA_METRICS, **INSTANCE_METRICS, **STACK_METRICS}
"""The metrics that config.yaml can name; each family is in the module of its formulas."""


ALWAYS_RECORDED = tuple(map(MetricSpec, ("miou", "global_precision", "global_recall")))
"""What every epoch of a training records, besides the configured metrics."""


_STAND_INS = {"dice_hausdorff": MetricSpec("dice", (("empty", "skip"),))}


def searched_by(spec: MetricSpec) -> MetricSpec:
    """The metric that searches use in place of one that is too slow to be measured for every candidate."""
    return _STAND_INS.get(spec.name, spec)


def build_metric(
    spec: MetricSpec, classes: int, activation: Activation, plugins: Mapping[str, Any] | None = None
) -> Metric:
    """Build a metric.

    Args:
        spec: from `toolkit.config.metrics.parse_metric`.
        classes: number of classes, which is the number of planes of a prediction.
        activation: `softmax` for exclusive classes, `sigmoid` for independent ones.
        plugins: metrics from plugins by the name that the configuration uses; see `PluginMetric`.

    Raises:
        ConfigError: a metric from plugins was not loaded, is not callable, or has an invalid `direction`.
    """
    if spec.is_plugin:
        return _plugin_metric(spec, classes, activation, {} if plugins is None else plugins)
    return METRICS[spec.name].built(spec.label, classes, activation, **dict(spec.arguments))


@dataclass(frozen=True)
class ScoringRules:
    """What metrics count.

    Attributes:
        submitted: the indices of the classes that are submitted to the competition, which every metric counts; None if
            all count.
        benchmark: the only one that the primary metric counts; None for the same ones as the other metrics.
        stack: a regular expression whose parenthesised part names the stack of an image, for metrics of stacks.
        all_classes: whether classes that no image shows count too, as they do where a competition defines the score.
    """

    submitted: tuple[int, ...] | None = None
    benchmark: int | None = None
    stack: str | None = None
    all_classes: bool = False


NO_RULES = ScoringRules()


def build_metrics(
    specs: Sequence[MetricSpec],
    classes: int,
    activation: Activation,
    *,
    names: Sequence[str] = (),
    plugins: Mapping[str, Any] | None = None,
    rules: ScoringRules = NO_RULES,
) -> tuple[Metric, ...]:
    """Build several metrics as `build_metric` does, dropping duplicates; the first is the primary metric.

    With `rules.benchmark`, the primary metric scores only the class of this index; the same metric of all submitted
    classes follows. Its label has the name of the class, from the `names` of all; without them, the index.
    """
    metrics = [build_metric(spec, classes, activation, plugins) for spec in specs]
    if rules.submitted is not None and len(rules.submitted) < classes:
        metrics = [replace(metric, chosen=rules.submitted) for metric in metrics]
    metrics = [
        replace(metric, stack=rules.stack) if isinstance(metric, DiceHausdorff) else metric for metric in metrics
    ]
    if rules.all_classes:
        metrics = [replace(metric, counts_unseen=True) for metric in metrics]
    if rules.benchmark is not None and classes > 1:
        metrics.insert(0, metrics[0].for_class(rules.benchmark, names[rules.benchmark] if names else None))
    return tuple({metric.label: metric for metric in metrics}.values())


@dataclass(frozen=True, kw_only=True)
class PluginMetric(Metric):
    """A metric from plugins that scores one image at a time; the score is the mean over images.

    `call` takes prediction and truth, `bool (height, width, classes)` and False in ignored pixels, and a mask
    `bool (height, width)` that is False there. It returns a number, or NaN to skip the image, or a map (height, width)
    or (height, width, classes), whose mean over the pixels that are not ignored is taken. It decides how to combine
    classes; a metric restricted to some classes gets only their planes.
    """

    call: PluginCallable

    @property
    def bounds(self) -> tuple[float, float]:
        """Unknown."""
        return -math.inf, math.inf

    @property
    def tells_classes_apart(self) -> bool:
        """Never: the callable returns one number for all classes."""
        return False

    def measure(self, case: Case) -> Floats:
        """The number that the callable returns, `float64 (1,)`.

        Raises:
            ConfigError: the callable does not return a finite number or NaN, or raises an error.
        """
        only = slice(None) if self.chosen is None else list(self.chosen)
        try:
            value = self.call(case.prediction[..., only], case.truth[..., only], case.valid)
        except Exception as error:
            raise ConfigError(f"the metric {self.label} failed: {raised_by(error)}") from error
        try:
            number = float(_mean_of_map(value, case.valid))
        except (TypeError, ValueError) as error:
            raise ConfigError(f"the metric {self.label} must return a number, but returned {value!r}") from error
        if math.isinf(number):
            raise ConfigError(f"the metric {self.label} must return a finite number, but returned {number}")
        return np.array([number])

    def score(self, statistics: Floats) -> float:
        """Mean over the images."""
        return mean(statistics[:, 0])

    def per_image(self, statistics: Floats) -> Floats:
        """The number that the callable returned for each image."""
        return statistics[:, 0]

    def per_class(self, statistics: Floats) -> Floats:
        """NaN for every class: the callable returns one number for all classes."""
        return np.full(self.classes, np.nan)

    def of_draws(self, statistics: Floats, counts: Floats) -> Floats:
        """Mean over the images."""
        return mean_of_draws(statistics[:, :1], counts)


def _mean_of_map(value: Any, valid: Mask) -> Any:
    """The mean of a map of values over the pixels that are not ignored; what is no map stays as it is."""
    found = np.asarray(value)
    return found[valid].mean() if found.ndim in (2, 3) and found.shape[:2] == valid.shape and valid.any() else value


def _plugin_metric(spec: MetricSpec, classes: int, activation: Activation, plugins: Mapping[str, Any]) -> Metric:
    try:
        call = plugins[spec.name]
    except KeyError as error:
        raise ConfigError(f"the metric {spec.name} comes from plugins, but it was not loaded") from error
    if isinstance(call, StatefulKind):
        return call.built(spec.label, classes, activation, dict(spec.arguments))
    if not callable(call):
        raise ConfigError(f"the metric {spec.name} is not callable: {call!r}")
    direction = getattr(call, "direction", "max")
    if direction not in get_args(Direction):
        raise ConfigError(f"direction of the metric {spec.name}: {not_valid(str(direction), get_args(Direction))}")
    kind = _stateful(spec.name, call, cast(Direction, direction))
    if kind is not None:
        return kind.built(spec.label, classes, activation, dict(spec.arguments))
    bound = partial(call, **dict(spec.arguments)) if spec.arguments else call
    return PluginMetric(spec.label, classes, direction=cast(Direction, direction), call=bound)


def _stateful(name: str, found: Any, direction: Direction) -> StatefulKind | None:
    """A class of the user that defines a metric as Keras does; None for anything else."""
    if not (isinstance(found, type) and hasattr(found, "update_state") and hasattr(found, "result")):
        return None
    wants = getattr(found, "wants", "masks")
    if wants not in ("masks", "probabilities"):
        raise ConfigError(f"wants of the metric {name}: {not_valid(str(wants), ('masks', 'probabilities'))}")
    return StatefulKind(found, cast(Sees, f"whole {wants}"), direction, lambda _: False)
