"""Metrics with a state that adds up over images, as Keras defines them: `update_state`, `result` and `variables`.

The state after one image is the statistics of that image, and the sum of the states is the state after all of them, as
in Keras's `merge_state`. So a score does not depend on batches, and any set of images can be scored.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import numpy as np

from toolkit.core.arrays import Floats
from toolkit.core.masks.labels import Activation
from toolkit.core.metrics.metric import Case, Direction, Metric
from toolkit.errors import ConfigError, raised_by

Sees = Literal["masks", "probabilities", "numbers", "number and probabilities", "whole masks", "whole probabilities"]
"""What a metric compares, truth and prediction, without ignored pixels:

- `masks`, `probabilities`: float32 (pixels, classes);
- `numbers`: int64 (pixels,), numbers of exclusive classes, or 0 and 1 for every pixel and independent class;
- `number and probabilities`: the number of the true class, and the probabilities;
- `whole masks`, `whole probabilities`: float32 (1, height, width, classes), 0 in ignored pixels.
"""


@dataclass(frozen=True)
class StatefulKind:
    """A class of such metrics.

    `whole` tells whether it compares all classes if it has these arguments, so that it cannot be restricted to some.
    """

    create: Callable[..., Any]
    sees: Sees
    direction: Direction
    whole: Callable[[Mapping[str, Any]], bool]

    def built(self, label: str, classes: int, activation: Activation, arguments: Mapping[str, Any]) -> "StatefulMetric":
        """The metric with these arguments.

        Raises:
            ConfigError: the class does not accept them.
        """
        try:
            metric = self.create(**arguments)
        except Exception as error:
            raise ConfigError(f"the metric {label} cannot be created: {raised_by(error)}") from error
        return StatefulMetric(
            label,
            classes,
            direction=self.direction,
            metric=metric,
            sees=self.sees,
            whole=self.whole(arguments),
            exclusive=activation == "softmax",
        )


@dataclass(frozen=True, kw_only=True)
class StatefulMetric(Metric):
    """A metric whose statistics of an image are its state after that image; it pools all pixels of a set of images.

    `metric` is changed by every call, so one thread at a time may use it.
    """

    metric: Any = field(repr=False, compare=False)
    sees: Sees
    whole: bool
    exclusive: bool

    @property
    def bounds(self) -> tuple[float, float]:
        """Unknown."""
        return -math.inf, math.inf

    @property
    def needs_probabilities(self) -> bool:
        """Whether it compares probabilities, so that no recipe changes it."""
        return "probabilities" in self.sees

    def measure(self, case: Case) -> Floats:
        """The state after this image, flat.

        Raises:
            ConfigError: the metric raises an error.
        """
        truth, prediction = self._seen(case)
        try:
            if not len(truth):  # Keras creates some variables when it sees the first pixel
                self.metric.update_state(
                    *(np.zeros((1, *array.shape[1:]), array.dtype) for array in (truth, prediction))
                )
            self.metric.reset_state()
            if len(truth):
                self.metric.update_state(truth, prediction)
        except Exception as error:
            raise ConfigError(f"the metric {self.label} failed: {raised_by(error)}") from error
        return np.concatenate([np.asarray(one, np.float64).ravel() for one in self.metric.variables])

    def score(self, statistics: Floats) -> float:
        """The result of the summed state."""
        return self._number(self._result(statistics.sum(axis=0)))

    def per_image(self, statistics: Floats) -> Floats:
        """The result for each image alone."""
        return np.array([self._number(self._result(state)) for state in statistics], np.float64)

    def per_class(self, statistics: Floats) -> Floats:
        """The results of the classes if the metric has one for each; NaN otherwise."""
        found = self._result(statistics.sum(axis=0))
        return found if found.shape == (self.classes,) else np.full(self.classes, np.nan)

    def of_draws(self, statistics: Floats, counts: Floats) -> Floats:
        """The results of the summed states."""
        return self.per_image(counts @ statistics)

    def for_class(self, index: int, name: str | None = None) -> Self:
        """This metric restricted to one class.

        Raises:
            ConfigError: it compares all classes.
        """
        if self.whole:
            raise ConfigError(
                f"the metric {self.label} compares all classes, so it cannot be restricted to one",
                "Remove benchmark_class, or choose a metric of single classes, for example iou.",
            )
        return super().for_class(index, name)

    def _seen(self, case: Case) -> tuple[Any, Any]:
        """Truth and prediction as the metric expects them."""
        only = slice(None) if self.chosen is None or self.whole else list(self.chosen)
        truth, masks, valid = case.truth[..., only], case.prediction[..., only], case.valid
        values = masks.astype(np.float32) if not self.needs_probabilities else case.known_probability[..., only]
        if self.sees in ("whole masks", "whole probabilities"):
            return truth.astype(np.float32)[None], np.where(valid[..., None], values, np.float32(0))[None]
        if self.sees == "numbers":
            return self._numbers(truth[valid]), self._numbers(masks[valid])
        if self.sees == "number and probabilities":
            return self._numbers(truth[valid]), values[valid]
        return truth[valid].astype(np.float32), values[valid]

    def _numbers(self, planes: Any) -> Any:
        return planes.argmax(axis=-1) if self.exclusive else planes.ravel().astype(np.int64)

    def _result(self, state: Floats) -> Floats:
        """What the metric makes of a state, `float64` of any shape."""
        start = 0
        for variable in self.metric.variables:
            size = math.prod(variable.shape)
            variable.assign(state[start : start + size].reshape(variable.shape).astype(variable.dtype.as_numpy_dtype))
            start += size
        result = self.metric.result()
        try:
            return np.asarray(result, np.float64)
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"the metric {self.label} must have a number or one number for each class as its result, but has "
                f"{result!r}"
            ) from error

    def _number(self, result: Floats) -> float:
        return float(np.mean(result)) if result.size else math.nan
