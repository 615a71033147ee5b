import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from toolkit.config.training.callbacks import parse_callbacks
from toolkit.errors import ConfigError
from toolkit.learning.optimizing.callbacks import Callback, build_callbacks
from toolkit.learning.runtime import tf

pytestmark = pytest.mark.tf

LR = 0.01


def built(value: Any, plugins: Mapping[str, Any] | None = None, primary: str = "dice") -> Callback:
    plugins = plugins or {}
    (callback,) = build_callbacks(parse_callbacks(value, plugins), primary, plugins, lr=LR)
    return callback


def series(seed: int) -> list[float]:
    """Scores that rise, stay, and fall, some of them equal, and a few of them NaN."""
    random = np.random.default_rng(seed)
    scores = np.round(np.cumsum(random.normal(0.002, 0.02, 60)), 2)
    scores[random.random(60) < 0.05] = np.nan
    return [float(score) for score in scores]


class OnlyOptimizer:
    """The attributes of a model that callbacks of Keras use."""

    def __init__(self) -> None:
        self.optimizer = tf.keras.optimizers.SGD(LR)
        self.stop_training = False


def in_keras(kind: str, monitor: str, arguments: Mapping[str, Any], values: list[float]) -> list[tuple[bool, float]]:
    """After each epoch: whether training stops, and the learning rate."""
    callback, model = getattr(tf.keras.callbacks, kind)(monitor=monitor, **arguments), OnlyOptimizer()
    callback.model = model
    callback.on_train_begin()
    found = []
    for epoch, value in enumerate(values):
        callback.on_epoch_end(epoch, {monitor: value})
        found.append((model.stop_training, float(model.optimizer.learning_rate)))
        if model.stop_training:
            break
    return found


def here(kind: str, monitor: str, arguments: Mapping[str, Any], values: list[float]) -> list[tuple[bool, float]]:
    callback = built({kind: {"monitor": monitor, **arguments}})
    found = []
    for epoch, value in enumerate(values):
        stops = callback.epoch_end({monitor: value}, epoch) is not None
        found.append((stops, LR * callback.factor))
        if stops:
            break
    return found


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("mode", ["max", "min"])
@pytest.mark.parametrize(
    "arguments",
    [{"patience": 0}, {"patience": 4, "min_delta": 0.01}, {"patience": 3, "start_from_epoch": 9, "min_delta": 0.001}],
)
def test_early_stopping_stops_where_keras_does(arguments: dict[str, Any], mode: str, seed: int) -> None:
    arguments = {**arguments, "mode": mode}
    expected = in_keras("EarlyStopping", "score", arguments, series(seed))
    np.testing.assert_allclose(here("EarlyStopping", "score", arguments, series(seed)), expected, rtol=1e-6)


def test_the_series_stop_and_go_on() -> None:
    lengths = {len(here("EarlyStopping", "score", {"patience": 4}, series(seed))) for seed in range(8)}
    assert len(lengths) > 3


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("mode", ["max", "min"])
@pytest.mark.parametrize(
    "arguments",
    [
        {"patience": 2, "factor": 0.5},
        {"patience": 0, "factor": 0.7, "cooldown": 2, "min_delta": 0.0},
        {"patience": 1, "factor": 0.3, "cooldown": 3, "min_delta": 0.02, "min_lr": 0.0005},
        {"patience": 1, "factor": 0.3, "min_lr": 0.02},
    ],
)
def test_the_learning_rate_falls_where_keras_lets_it_fall(arguments: dict[str, Any], mode: str, seed: int) -> None:
    arguments = {**arguments, "mode": mode}
    expected = in_keras("ReduceLROnPlateau", "score", arguments, series(seed))
    found = here("ReduceLROnPlateau", "score", arguments, series(seed))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


class Counting:
    """Keeps count of the epochs, halves the learning rate with each, and stops after `most`."""

    def __init__(self, most: int) -> None:
        self.most, self.seen = most, 0

    @property
    def factor(self) -> float:
        return 0.5**self.seen

    def epoch_end(self, values: Mapping[str, float], epoch: int) -> str | None:
        self.seen += 1
        return "enough" if self.seen == self.most else None

    def state(self) -> dict[str, Any]:
        return {"seen": self.seen}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.seen = state["seen"]


@pytest.mark.parametrize("interrupted", range(1, 40, 6))
@pytest.mark.parametrize(
    "value",
    [
        {"EarlyStopping": {"patience": 8}},
        {"EarlyStopping": {"patience": 2, "start_from_epoch": 20, "mode": "min"}},
        {"ReduceLROnPlateau": {"patience": 1, "factor": 0.5, "cooldown": 2, "min_lr": 1e-5}},
        {"Counting": {"most": 30}},
    ],
)
def test_a_restored_callback_goes_on_as_if_nothing_had_happened(value: Any, interrupted: int) -> None:
    plugins = {"Counting": Counting}
    for seed in range(4):
        whole, first, second = (built(value, plugins) for _ in range(3))
        for epoch, score in enumerate(series(seed)):
            expected = whole.epoch_end({"dice": score}, epoch), whole.factor
            part = first if epoch < interrupted else second
            assert (part.epoch_end({"dice": score}, epoch), part.factor) == expected
            if epoch == interrupted - 1:
                second.restore(json.loads(json.dumps(first.state(), allow_nan=False)))


def test_a_callback_monitors_the_primary_metric_by_default() -> None:
    callback = built({"EarlyStopping": {"patience": 1}})
    assert callback.epoch_end({"loss": 9.0, "dice": 0.5}, 0) is None
    reason = callback.epoch_end({"loss": 1.0, "dice": 0.4}, 1)
    assert reason == "dice has not improved for 1 epochs (best: 0.5000 in epoch 1)"


@pytest.mark.parametrize(("monitor", "falls"), [("loss", True), ("val_loss", True), ("val_dice", False)])
def test_mode_auto_knows_which_values_fall(monitor: str, falls: bool) -> None:
    callback = built({"EarlyStopping": {"patience": 1, "monitor": monitor}})
    name = "dice" if monitor == "val_dice" else monitor
    for epoch, value in enumerate([1.0, 2.0]):
        reason = callback.epoch_end({name: value}, epoch)
    assert (reason is not None) == falls


def test_metrics_that_fall_can_be_named() -> None:
    specs = parse_callbacks({"EarlyStopping": {"patience": 1}})
    (callback,) = build_callbacks(specs, "hausdorff", lr=LR, lower_is_better=["hausdorff"])
    assert callback.epoch_end({"hausdorff": 9.0}, 0) is None
    assert callback.epoch_end({"hausdorff": 8.0}, 1) is None
    assert callback.epoch_end({"hausdorff": 8.0}, 2)


def test_a_missing_value_cannot_be_monitored() -> None:
    with pytest.raises(ValueError, match="no dice to monitor; there are loss"):
        built({"EarlyStopping": {"patience": 1}}).epoch_end({"loss": 1.0, "val_loss": 1.0}, 0)


def test_an_epoch_that_was_not_validated_does_not_count() -> None:
    stopping, plateau = built({"EarlyStopping": {"patience": 2}}), built({"ReduceLROnPlateau": {"patience": 2}})
    trained = {"loss": 1.0}
    for epoch, values in enumerate([trained, validated(0.5), trained, validated(0.4), trained, trained]):
        assert stopping.epoch_end(values, epoch) is None
        plateau.epoch_end(values, epoch)
        assert plateau.factor == 1
    reason = stopping.epoch_end(validated(0.4), 6)
    assert reason == "dice has not improved for 5 epochs (best: 0.5000 in epoch 2)"
    plateau.epoch_end(validated(0.4), 6)
    assert plateau.factor < 1


def test_a_loss_of_training_is_monitored_in_every_epoch() -> None:
    stopping = built({"EarlyStopping": {"patience": 2, "monitor": "loss"}})
    assert [stopping.epoch_end({"loss": 1.0}, epoch) is None for epoch in range(3)] == [True, True, False]


def validated(dice: float) -> dict[str, float]:
    return {"loss": 1.0, "val_loss": 1.0, "dice": dice}


def test_logging_is_not_a_callback_of_the_epoch() -> None:
    assert build_callbacks(parse_callbacks({"TensorBoard": {"images": 2}}), "dice", lr=LR) == []


def test_a_callback_of_plugins_needs_epoch_end_alone() -> None:
    class Alone:
        def epoch_end(self, values: Mapping[str, float], epoch: int) -> str | None:
            return f"at {epoch}" if values["dice"] > 1 else None

    callback = built("Alone", {"Alone": Alone})
    assert callback.factor == 1
    assert callback.state() == {}
    callback.restore({})
    assert callback.epoch_end({"dice": 0.5}, 0) is None
    assert callback.epoch_end({"dice": 1.5}, 3) == "at 3"


class Nothing:
    """Not a callback."""


class Forgetful:
    """Saves a state that it cannot restore."""

    def epoch_end(self, values: Mapping[str, float], epoch: int) -> str | None:
        return None

    def state(self) -> dict[str, Any]:
        return {}


@pytest.mark.parametrize(
    ("name", "text"),
    [("Nothing", "needs a method epoch_end"), ("Forgetful", "or neither"), ("Counting", "could not be created")],
)
def test_the_error_of_an_invalid_callback_has_its_name(name: str, text: str) -> None:
    plugins = {"Nothing": Nothing, "Forgetful": Forgetful, "Counting": Counting}
    with pytest.raises(ValueError, match=f"{name}.*{text}"):
        built(name, plugins)


class Mistaken:
    """Returns the values of its arguments."""

    def __init__(self, factor: Any = 1.0, reason: Any = None, state: Any = None) -> None:
        self.factor, self._reason, self._state = factor, reason, state

    def epoch_end(self, values: Mapping[str, float], epoch: int) -> Any:
        return self._reason

    def state(self) -> Any:
        return self._state

    def restore(self, state: Mapping[str, Any]) -> None: ...


@pytest.mark.parametrize("factor", [-1.0, float("nan"), float("inf"), "half", True])
def test_a_factor_of_plugins_must_be_a_number_of_at_least_0(factor: Any) -> None:
    callback = built({"Mistaken": {"factor": factor}}, {"Mistaken": Mistaken})
    with pytest.raises(ConfigError, match="the callback Mistaken has the invalid learning-rate factor"):
        callback.factor  # noqa: B018 # reading it is what fails


def test_a_reason_of_plugins_must_be_a_text() -> None:
    callback = built({"Mistaken": {"reason": True}}, {"Mistaken": Mistaken})
    with pytest.raises(ConfigError, match="the callback Mistaken returned True; expected a text"):
        callback.epoch_end({"dice": 0.5}, 0)


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ({"best": np.float32(0.5)}, "not JSON serializable"),
        ({(0, 1): 2}, "keys must be"),
        (3, "not iterable"),
    ],
)
def test_a_state_of_plugins_must_be_plain_data(state: Any, text: str) -> None:
    callback = built({"Mistaken": {"state": state}}, {"Mistaken": Mistaken})
    with pytest.raises(ConfigError, match=rf"the callback Mistaken: state\(\).*{text}"):
        callback.state()


def test_a_state_of_plugins_may_hold_infinity() -> None:
    callback = built({"Mistaken": {"state": {"best": -math.inf}}}, {"Mistaken": Mistaken})
    assert callback.state() == {"best": -math.inf}
