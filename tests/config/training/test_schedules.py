import re
from pathlib import Path
from typing import Any

import pytest

from toolkit.config.training.callbacks import CALLBACKS, parse_callbacks
from toolkit.config.training.optimizers import OPTIMIZERS, parse_optimizer
from toolkit.config.training.schedules import (
    SCHEDULES,
    CosineRestarts,
    CyclicLR,
    PluginSchedule,
    StepDecay,
    WarmUp,
    parse_schedule,
)
from toolkit.config.training.weight_averaging import parse_averaging
from toolkit.config.yaml.named_calls import ProblemsAtError, UnknownNameError
from toolkit.config.yaml.yaml_files import read_value

CYCLIC = {"base_lr": 1e-4, "max_lr": 1e-2, "step_size": 5}
DUE: dict[str, dict[str, Any]] = {
    "cosine_restarts": {"cycles": 3},
    "exponential": {"decay": 0.9},
    "step": {"every": 10},
    "CyclicLR": CYCLIC,
}
"""The required arguments of some schedules."""


def problem(value: Any, plugins: tuple[str, ...] = ()) -> tuple[Any, str]:
    """The path and the message of the first problem."""
    with pytest.raises(ProblemsAtError) as caught:
        parse_schedule(value, plugins)
    path, error, _ = caught.value.problems[0]
    return path, str(error)


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_is_read_by_its_name(name: str) -> None:
    (leg,) = parse_schedule({name: DUE.get(name)}).legs
    assert type(leg) is SCHEDULES[name]


def test_a_name_alone_is_the_same_as_no_arguments() -> None:
    assert parse_schedule("cosine") == parse_schedule({"cosine": None}) == parse_schedule(("cosine",))


def test_a_chain_as_list_or_mapping() -> None:
    chain = ({"warm_up": {"epochs": 2, "start": 0.2}}, {"constant": {"share": 0.5}}, "cosine")
    schedule = parse_schedule(chain)
    assert schedule == parse_schedule({**chain[0], **chain[1], "cosine": None})  # type: ignore[dict-item]
    assert isinstance(schedule.legs[0], WarmUp)
    assert schedule.spans(10) == ((0, 2), (2, 7), (7, 10))


@pytest.mark.parametrize(
    ("value", "path", "text"),
    [
        ("cosin", (), "cosin"),
        ({"warm_up": {"epochs": 2}}, ("warm_up",), "add another schedule"),
        (("warm_up", "cosine"), (0,), "needs epochs or share"),
        (({"warm_up": {"epochs": 2}}, {"cosine": {"share": 0.5}}), (1, "cosine"), "add another schedule"),
        ({"constant": {"epochs": 2, "share": 0.5}, "cosine": None}, ("constant",), "keep one of them"),
        ({"cosine_restarts": None}, ("cosine_restarts",), "either cycles"),
        ({"cosine_restarts": {"cycles": 2, "period": 3}}, ("cosine_restarts",), "either cycles"),
        ({"step": None}, ("step",), "either every"),
        ({"step": {"every": 2, "at": (3,)}}, ("step",), "either every"),
        ({"CyclicLR": {**CYCLIC, "max_lr": 1e-5}}, ("CyclicLR",), "must not be below base_lr"),
        ({"CyclicLR": {**CYCLIC, "gamma": 0.9}}, ("CyclicLR",), "exp_range"),
        ({"CyclicLR": {**CYCLIC, "mode": "exp_range"}}, ("CyclicLR",), "exp_range"),
        (({"constant": {"epochs": 1}}, "mine"), (1,), "cannot be part of a chain"),
    ],
)
def test_invalid_schedules_are_rejected_at_their_path(value: Any, path: Any, text: str) -> None:
    found, words = problem(value, ("mine",))
    assert found == path
    assert text in words


@pytest.mark.parametrize(
    ("name", "argument", "value"),
    [
        ("cosine", "minimum", 0.1),
        ("one_cycle", "warm_up", 1),
        ("one_cycle", "start", -0.1),
        ("polynomial", "power", 0),
        ("exponential", "decay", 1.5),
        ("step", "factor", 1),
        ("step", "at", ()),
        ("cosine_restarts", "multiplier", 0.5),
        ("cosine_restarts", "cycles", 2.5),
        ("CyclicLR", "mode", "triangle"),
        ("CyclicLR", "step_size", 0),
        ("constant", "factor", float("inf")),
        ("warm_up", "epochs", 0),
    ],
)
def test_unknown_arguments_and_invalid_values_are_rejected(name: str, argument: str, value: Any) -> None:
    with pytest.raises(ProblemsAtError) as caught:
        parse_schedule({name: {**DUE.get(name, {}), argument: value}})
    assert argument in str(caught.value)


@pytest.mark.parametrize("value", [3, None, True, (), {}])
def test_other_values_are_rejected(value: Any) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_schedule(value)


def test_a_plugin_with_its_arguments() -> None:
    assert parse_schedule({"mine": {"top": 3}}, ["mine"]).legs == (PluginSchedule("mine", {"top": 3}),)
    assert parse_schedule("package.rates.mine").legs == (PluginSchedule("package.rates.mine"),)


def test_a_stage_must_be_long_enough() -> None:
    chain = parse_schedule({"warm_up": {"epochs": 5}, "cosine": None})
    assert chain.spans(6) == ((0, 5), (5, 6))
    with pytest.raises(ValueError, match="take 5 epochs, but the stage has only 5"):
        chain.spans(5)
    restarts = parse_schedule({"cosine_restarts": {"cycles": 4}})
    assert restarts.spans(4)
    with pytest.raises(ValueError, match="4 cycles need at least 4 epochs, but there are 3"):
        restarts.spans(3)


def test_an_unknown_name_comes_with_all_known_ones() -> None:
    with pytest.raises(ProblemsAtError) as caught:
        parse_schedule("cosine_restart", ["mine"])
    error = caught.value.problems[0][1]
    assert isinstance(error, UnknownNameError)
    assert {"cosine_restarts", "CyclicLR", "mine"} <= set(error.allowed)


def test_numbers_come_through() -> None:
    (restarts,) = parse_schedule({"cosine_restarts": {"period": 5, "multiplier": 2}}).legs
    (step,) = parse_schedule({"step": {"at": (3, 6.5), "factor": 0.5}}).legs
    (cyclic,) = parse_schedule({"CyclicLR": CYCLIC}).legs
    assert isinstance(restarts, CosineRestarts)
    assert (restarts.period, restarts.multiplier) == (5, 2)
    assert isinstance(step, StepDecay)
    assert step.at == (3, 6.5)
    assert isinstance(cyclic, CyclicLR)
    assert (cyclic.unit, cyclic.mode) == ("batches", "triangular")


PAGE = (Path(__file__).parents[3] / "docs" / "schedules.md").read_text()
PARSERS = {
    "schedule": parse_schedule,
    "optimizer": parse_optimizer,
    "callbacks": parse_callbacks,
    "weight_averaging": parse_averaging,
}
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_of_the_page_are_valid(example: str) -> None:
    keys = read_value(example, "the page")
    parsed = [PARSERS[key](value) for key, value in keys.items() if key in PARSERS]
    assert parsed
    assert set(keys) <= {*PARSERS, "lr"}


def test_the_examples_show_everything() -> None:
    assert {key for example in EXAMPLES for key in read_value(example, "the page")} == {*PARSERS, "lr"}


def test_every_name_is_on_the_page() -> None:
    for name in [*SCHEDULES, *OPTIMIZERS, *CALLBACKS]:
        assert f"`{name}`" in PAGE, name
