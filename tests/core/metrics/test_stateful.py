import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from toolkit.core.metrics.metric import Case, case_of
from toolkit.core.metrics.registry import MetricSpec, ScoringRules, build_metrics
from toolkit.core.metrics.stateful import Sees, StatefulKind, StatefulMetric
from toolkit.errors import ConfigError


class Variable:
    """Like a variable of TensorFlow."""

    def __init__(self, size: int) -> None:
        self.value = np.zeros(size, np.float32)
        self.dtype = SimpleNamespace(as_numpy_dtype=np.float32)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    def assign(self, value: Any) -> None:
        assert value.dtype == np.float32
        self.value = value

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return self.value if dtype is None else self.value.astype(dtype)


class Share:
    """The share of foreground in the prediction, and what it has seen; its variables are created late, as in Keras."""

    def __init__(self, power: int = 1, by_class: bool = False) -> None:
        self.power, self.by_class = power, by_class
        self.variables: list[Variable] = []
        self.seen: list[tuple[Any, Any]] = []

    def reset_state(self) -> None:
        for variable in self.variables:
            variable.value = np.zeros_like(variable.value)

    def update_state(self, truth: Any, prediction: Any) -> None:
        if not self.variables:
            self.variables = [Variable(prediction.shape[-1]), Variable(1)]
        self.seen.append((truth, prediction))
        flat = prediction.reshape(-1, prediction.shape[-1])
        self.variables[0].value = self.variables[0].value + flat.sum(axis=0)
        self.variables[1].value = self.variables[1].value + np.float32(len(flat))

    def result(self) -> Any:
        found = (self.variables[0].value / np.maximum(self.variables[1].value, 1)) ** self.power
        return found if self.by_class else found.mean()


def built(sees: Sees = "masks", classes: int = 2, activation: Any = "sigmoid", **arguments: Any) -> StatefulMetric:
    return StatefulKind(Share, sees, "max", lambda _: False).built("share", classes, activation, arguments)


def case(seed: int, size: tuple[int, int] = (3, 4), ignored: float = 0.0) -> Case:
    random = np.random.default_rng(seed)
    labels = random.integers(0, 4, size).astype(np.uint8)
    labels[random.random(size) < ignored] = 255
    probability = random.random((*size, 2)).astype(np.float32)
    return case_of(probability > 0.5, labels, "sigmoid", probability=probability)


def test_the_score_of_images_is_that_of_all_their_pixels_together() -> None:
    cases = [case(0), case(1, (5, 5)), case(2, (1, 9))]
    metric = built()
    statistics = np.stack([metric.measure(one) for one in cases])
    pixels = np.concatenate([one.prediction.reshape(-1, 2) for one in cases])
    assert metric.score(statistics) == pytest.approx(pixels.mean())
    assert metric.per_image(statistics) == pytest.approx([one.prediction.mean() for one in cases])
    assert metric.of_draws(statistics, np.array([[1.0, 1, 1], [2, 0, 0]])) == pytest.approx(
        [pixels.mean(), cases[0].prediction.mean()]
    )
    assert np.isnan(metric.per_class(statistics)).all()
    by_class = built(by_class=True)
    assert np.array_equal([by_class.measure(one) for one in cases], statistics)
    assert by_class.per_class(statistics) == pytest.approx(pixels.mean(axis=0))
    assert by_class.score(statistics) == pytest.approx(pixels.mean())


def test_a_state_does_not_depend_on_what_was_measured_before() -> None:
    metric = built()
    first = metric.measure(case(0))
    metric.measure(case(1))
    assert np.array_equal(metric.measure(case(0)), first)
    assert np.array_equal(built().measure(case(0)), first)


def test_an_image_of_ignored_pixels_alone_has_an_empty_state() -> None:
    metric = built()
    assert np.array_equal(metric.measure(case(0, ignored=1.1)), [0, 0, 0])
    assert metric.measure(case(0)).shape == (3,)


@pytest.mark.parametrize("sees", ["masks", "probabilities", "whole masks", "whole probabilities"])
def test_what_a_metric_sees(sees: Sees) -> None:
    one, metric = case(0, ignored=0.4), built(sees)
    metric.measure(one)
    ((truth, prediction),) = metric.metric.seen
    expected = one.known_probability if "probabilities" in sees else one.prediction.astype(np.float32)
    assert metric.needs_probabilities == ("probabilities" in sees)
    assert truth.dtype == prediction.dtype == np.float32
    if sees.startswith("whole"):
        assert np.array_equal(truth[0], one.truth)
        assert np.array_equal(prediction[0], np.where(one.valid[..., None], expected, 0))
    else:
        assert np.array_equal(truth, one.truth[one.valid])
        assert np.array_equal(prediction, expected[one.valid])


def test_numbers_of_classes() -> None:
    labels = np.array([[0, 1, 2, 255]], np.uint8)
    planes = np.eye(3, dtype=bool)[[[2, 1, 0, 0]]]
    probability = planes.astype(np.float32)
    softmax = case_of(planes, labels, "softmax", probability=probability)
    kind = StatefulKind(Share, "numbers", "max", lambda _: True)
    truth, prediction = kind.built("n", 3, "softmax", {})._seen(softmax)
    assert (truth.tolist(), prediction.tolist()) == ([0, 1, 2], [2, 1, 0])
    sigmoid = case_of(np.array([[[True], [False]]]), np.array([[1, 1]], np.uint8), "sigmoid")
    truth, prediction = kind.built("n", 1, "sigmoid", {})._seen(sigmoid)
    assert (truth.tolist(), prediction.tolist()) == ([1, 1], [1, 0])
    both = replace(kind, sees="number and probabilities").built("n", 3, "softmax", {})
    truth, prediction = both._seen(softmax)
    assert truth.tolist() == [0, 1, 2]
    assert np.array_equal(prediction, probability[0, :3])


def test_a_metric_is_restricted_to_classes_unless_it_compares_them() -> None:
    one = case(0)
    metric = built().for_class(1)
    assert metric.label == "share[1]"
    assert metric.score(metric.measure(one)[None]) == pytest.approx(one.prediction[..., 1].mean())
    whole = StatefulKind(Share, "masks", "max", lambda _: True).built("share", 2, "sigmoid", {})
    assert whole.measure(one).shape == (3,)
    assert replace(whole, chosen=(1,)).measure(one).shape == (3,)
    with pytest.raises(ConfigError, match=r"share compares all classes.*\n.*benchmark_class"):
        whole.for_class(1)


def test_a_class_of_the_user_is_such_a_metric() -> None:
    plugins = {"mine": type("Mine", (Share,), {"wants": "probabilities", "direction": "min"})}
    metric, restricted = build_metrics(
        [MetricSpec("mine", (("power", 2),))], 2, "sigmoid", plugins=plugins, rules=ScoringRules(benchmark=1)
    )[::-1]
    assert (metric.label, restricted.label, metric.direction) == ("mine(power=2)", "mine(power=2)[1]", "min")
    one = case(0)
    assert metric.score(metric.measure(one)[None]) == pytest.approx((one.known_probability.mean((0, 1)) ** 2).mean())
    with pytest.raises(ConfigError, match="wants of the metric mine: 'logits' is not valid"):
        build_metrics([MetricSpec("mine")], 1, "sigmoid", plugins={"mine": type("M", (Share,), {"wants": "logits"})})


def test_faults_of_a_metric_are_reported() -> None:
    with pytest.raises(ConfigError, match=r"the metric share cannot be created: TypeError: .*'powr'"):
        built(powr=2)
    metric = built()
    metric.metric.update_state = lambda truth, prediction: 1 / 0
    with pytest.raises(ConfigError, match=r"the metric share failed: .*test_stateful\.py:\d+: ZeroDivisionError"):
        metric.measure(case(0))
    several = built()
    several.metric.result = lambda: {"a": 1.0}
    with pytest.raises(
        ConfigError, match=r"must have a number or one number for each class as its result, but has {'a"
    ):
        several.score(several.measure(case(0))[None])
    with pytest.raises(ValueError, match="only masks are known"):
        built("probabilities").measure(case_of(np.zeros((1, 1, 2), bool), np.zeros((1, 1), np.uint8), "sigmoid"))


def test_an_empty_result_is_no_score() -> None:
    metric = built()
    metric.metric.result = lambda: np.zeros(0)
    assert math.isnan(metric.score(metric.measure(case(0))[None]))
