import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from toolkit.config.training.schedules import SCHEDULES as KINDS
from toolkit.config.training.schedules import parse_schedule
from toolkit.errors import ConfigError
from toolkit.learning.optimizing.schedules import _RATES, Moment, build_schedule, cycle_ends


def rates(value: Any, lr: float = 1.0, epochs: int = 10, batches: int = 10) -> list[float]:
    """The learning rate of every batch."""
    schedule = build_schedule(parse_schedule(value), lr, epochs)
    moments = [Moment(epoch, batch, batches, epochs) for epoch in range(epochs) for batch in range(batches)]
    return [schedule(moment) for moment in moments]


def test_every_kind_has_its_formula() -> None:
    assert set(_RATES) == set(KINDS.values())


def factor(name: str, share: float) -> float:
    """The factor of `lr` after a share of the stage, in thousandths."""
    return build_schedule(parse_schedule(name), 1.0, 1)(Moment(0, round(1000 * share), 1000, 1))


def falling(start: float, end: float, share: float) -> float:
    """Half a cosine wave."""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("constant", lambda _: 1.0),
        ("cosine", lambda share: falling(1, 0, share)),
        (
            "one_cycle",
            lambda share: falling(1 / 25, 1, share / 0.3) if share < 0.3 else falling(1, 4e-6, (share - 0.3) / 0.7),
        ),
    ],
)
def test_schedules_without_arguments_follow_their_formulas(name: str, formula: Callable[[float], float]) -> None:
    expected = [0.02 * formula((epoch + batch / 7) / 5) for epoch in range(5) for batch in range(7)]
    assert rates(name, 0.02, 5, 7) == pytest.approx(expected)


def test_constant_stays() -> None:
    assert set(rates("constant", 0.3)) == {0.3}
    assert set(rates({"constant": {"factor": 2}}, 0.3)) == {0.6}


def test_cosine_falls_from_one_to_zero() -> None:
    factors = [factor("cosine", progress / 10) for progress in range(11)]
    assert factors == sorted(factors, reverse=True)
    assert factors[0] == 1
    assert factors[5] == pytest.approx(0.5)
    assert factors[10] == pytest.approx(0)
    assert rates({"cosine": {"start": 0.5, "end": 0.1}})[::50] == pytest.approx([0.5, 0.3])


def test_one_cycle_rises_to_its_peak_and_falls_to_nearly_nothing() -> None:
    assert factor("one_cycle", 0) == pytest.approx(1 / 25)
    assert factor("one_cycle", 0.3) == pytest.approx(1)
    assert factor("one_cycle", 1) == pytest.approx(4e-6)
    assert max(factor("one_cycle", progress / 100) for progress in range(101)) == pytest.approx(1)
    assert rates({"one_cycle": {"warm_up": 0.5, "start": 0.1}}, 2.0)[::50] == pytest.approx([0.2, 2.0])


def test_lines_powers_and_steps_by_hand() -> None:
    assert rates({"linear": {"start": 0.2, "end": 0.7}})[::20] == pytest.approx([0.2, 0.3, 0.4, 0.5, 0.6])
    assert rates("warm_up", 2.0)[50] == pytest.approx(2 * 0.55)
    assert rates({"polynomial": {"power": 2, "end": 0.2}})[50] == pytest.approx(0.2 + 0.8 / 4)
    assert rates("polynomial")[50] == pytest.approx(0.5**0.9)
    assert rates({"exponential": {"decay": 0.5}})[::10] == pytest.approx([0.5**epoch for epoch in range(10)])
    assert rates({"exponential": {"decay": 0.5}})[5] == pytest.approx(math.sqrt(0.5))
    assert rates({"step": {"every": 3, "factor": 0.5}})[::10] == pytest.approx([0.5 ** (n // 3) for n in range(10)])
    assert rates({"step": {"at": (4, 5.5), "factor": 0.5}})[::5] == [1.0] * 8 + [0.5] * 3 + [0.25] * 9
    assert rates({"step": {"every": 0.3, "factor": 0.5}})[:10] == [1] * 3 + [0.5] * 3 + [0.25] * 3 + [0.125]


def published_cyclic(number: float, step: float, mode: str, gamma: float) -> float:
    """As published with the method, https://github.com/bckenstler/CLR, between 0.001 and 0.006."""
    cycle = np.floor(1 + number / (2 * step))
    x = np.abs(number / step - 2 * cycle + 1)
    scale = {"triangular": 1.0, "triangular2": 1 / 2.0 ** (cycle - 1), "exp_range": gamma**number}[mode]
    return float(0.001 + 0.005 * np.maximum(0, 1 - x) * scale)


@pytest.mark.parametrize("mode", ["triangular", "triangular2", "exp_range"])
@pytest.mark.parametrize("step", [1, 7, 20, 37.5])
def test_cyclic_rates_follow_the_published_formula(mode: str, step: float) -> None:
    gamma = {"gamma": 0.98} if mode == "exp_range" else {}
    found = rates({"CyclicLR": {"base_lr": 0.001, "max_lr": 0.006, "step_size": step, "mode": mode, **gamma}})
    expected = [published_cyclic(number, step, mode, 0.98) for number in range(100)]
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("mode", ["triangular", "triangular2", "exp_range"])
def test_cyclic_rates_may_count_epochs(mode: str) -> None:
    gamma = {"gamma": 0.9} if mode == "exp_range" else {}
    arguments = {"base_lr": 0.001, "max_lr": 0.006, "step_size": 1.5, "mode": mode, "unit": "epochs", **gamma}
    expected = [published_cyclic(number / 10, 1.5, mode, 0.9) for number in range(100)]
    assert rates({"CyclicLR": arguments}) == pytest.approx(expected, rel=1e-9)


def test_cosine_restarts_by_hand() -> None:
    found = rates({"cosine_restarts": {"cycles": 2, "minimum": 0.2}}, epochs=4, batches=2)
    wave = [1, 0.6 + 0.4 * math.sqrt(0.5), 0.6, 0.6 - 0.4 * math.sqrt(0.5)]
    assert found == pytest.approx([*wave, *wave])
    unfinished = rates({"cosine_restarts": {"period": 2, "multiplier": 2}}, epochs=4, batches=1)
    assert unfinished == pytest.approx([1, 0.5, 1, (1 + math.sqrt(0.5)) / 2])


@pytest.mark.parametrize(
    ("arguments", "epochs", "ends"),
    [
        ({"cycles": 3}, 10, {2, 6, 9}),
        ({"cycles": 3}, 3, {0, 1, 2}),
        ({"cycles": 1}, 3, {2}),
        ({"cycles": 3, "multiplier": 2}, 14, {1, 5, 13}),
        ({"cycles": 4, "multiplier": 10}, 5, {0, 1, 2, 4}),
        ({"period": 5}, 12, {4, 9}),
        ({"period": 5}, 4, set()),
        ({"period": 1, "multiplier": 2}, 15, {0, 2, 6, 14}),
        ({"period": 2.5}, 10, {2, 4, 7, 9}),
    ],
)
def test_cycles_end_with_epochs(arguments: dict[str, Any], epochs: int, ends: set[int]) -> None:
    value = {"cosine_restarts": arguments}
    assert cycle_ends(parse_schedule(value), epochs) == ends
    found = rates(value, epochs=epochs, batches=8)
    jumps = {number // 8 - 1 for number in range(1, len(found)) if found[number] > found[number - 1]}
    assert jumps == ends - {epochs - 1}


@pytest.mark.parametrize("cycles", range(1, 8))
@pytest.mark.parametrize("multiplier", [1, 1.5, 4])
@pytest.mark.parametrize("before", [0.5, 1, 2.9])
@pytest.mark.parametrize("after", [0, 0.4, 1])
def test_in_a_chain_there_are_as_many_cycles_as_wanted(
    cycles: int, multiplier: float, before: float, after: float
) -> None:
    restarts: dict[str, Any] = {"cycles": cycles, "multiplier": multiplier}
    chain: list[Any] = [{"constant": {"epochs": before}}, {"cosine_restarts": restarts}]
    epochs = cycles + 4
    if after:
        restarts["epochs"] = epochs - before - after
        chain.append("constant")
    found = rates(chain, epochs=epochs, batches=20)
    waves = found[round(before * 20) : round((epochs - after) * 20)]
    assert sum(late > early for early, late in itertools.pairwise(waves)) == cycles - 1
    assert waves[0] == pytest.approx(1)
    assert waves[-1] < 0.05


def test_cycles_of_other_schedules() -> None:
    cyclic = {"base_lr": 0.1, "max_lr": 1, "step_size": 1.5}
    assert cycle_ends(parse_schedule({"CyclicLR": {**cyclic, "unit": "epochs"}}), 10) == {2, 5, 8}
    assert cycle_ends(parse_schedule({"CyclicLR": cyclic}), 10) == frozenset()
    chain = ({"warm_up": {"epochs": 2}}, {"cosine_restarts": {"cycles": 2}})
    assert cycle_ends(parse_schedule(chain), 8) == {4, 7}
    assert cycle_ends(parse_schedule("cosine"), 8) == frozenset()


def test_a_chain_is_its_parts_one_after_the_other() -> None:
    found = rates(({"warm_up": {"epochs": 2, "start": 0}}, {"constant": {"share": 0.3}}, "linear"))
    assert found[:20] == pytest.approx([number / 20 for number in range(20)])
    assert found[20:50] == [1.0] * 30
    assert found[50:] == pytest.approx([1 - number / 50 for number in range(50)])


def own_schedule(moment: Moment, lr: float, top: float = 2.0) -> float:
    return lr * top if moment.epoch else lr


def test_a_schedule_of_plugins_is_called() -> None:
    schedule = parse_schedule({"mine": {"top": 3.0}}, ["mine"])
    found = build_schedule(schedule, 0.1, 4, {"mine": own_schedule})
    assert [found(Moment(epoch, 0, 5, 4)) for epoch in (0, 1)] == pytest.approx([0.1, 0.3])


@pytest.mark.parametrize("rate", [float("nan"), -1.0, float("inf"), "high", None, True])
def test_a_schedule_of_plugins_must_return_a_learning_rate(rate: Any) -> None:
    schedule = build_schedule(parse_schedule("mine", ["mine"]), 0.1, 4, {"mine": lambda moment, lr: rate})
    with pytest.raises(ConfigError, match="the schedule mine returned"):
        schedule(Moment(0, 0, 5, 4))


def test_a_schedule_of_plugins_must_be_callable() -> None:
    with pytest.raises(ValueError, match="mine is not callable"):
        build_schedule(parse_schedule("mine", ["mine"]), 0.1, 4, {"mine": 3})
