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
    Variations,
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
"""The arguments that some schedules cannot do without."""


def problem(value: Any, plugins: tuple[str, ...] = ()) -> tuple[Any, str]:
    """Where the first problem stands, and what it says."""
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
        ({"LRVariator": {"toVal": 0.1, "relSize": 1}, "cosine": None}, ("LRVariator",), "cannot be part of a chain"),
    ],
)
def test_what_makes_no_sense_is_refused_where_it_stands(value: Any, path: Any, text: str) -> None:
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
def test_unknown_arguments_and_wrong_values_are_refused(name: str, argument: str, value: Any) -> None:
    with pytest.raises(ProblemsAtError) as caught:
        parse_schedule({name: {**DUE.get(name, {}), argument: value}})
    assert argument in str(caught.value)


@pytest.mark.parametrize("value", [3, None, True, (), {}])
def test_what_is_no_call_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_schedule(value)


def test_the_users_own_with_its_arguments() -> None:
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


VARIATIONS: dict[str, Any] = {
    "LRVariator": {
        "absSize": 100,
        "toVal": 0.002,
        "style": 2,
        "then": {"LRVariator": {"relSize": 0.5, "toVal": 0.001, "style": "cos+"}},
    }
}


def test_a_variation_is_a_chain_of_curves() -> None:
    (leg,) = parse_schedule(VARIATIONS).legs
    assert isinstance(leg, Variations)
    assert [(piece.absSize, piece.relSize, piece.toVal, piece.style) for piece in leg.pieces] == [
        (100, None, 0.002, 2),
        (None, 0.5, 0.001, "cos+"),
    ]


def with_then(then: Any, **first: Any) -> Any:
    return {"LRVariator": {"absSize": 100, "toVal": 0.002, **first, "then": then}}


@pytest.mark.parametrize(
    ("value", "path", "text"),
    [
        (with_then(None, style="cosine"), ("LRVariator",), "cosine"),
        (with_then(None, style=-1), ("LRVariator",), "exponent above 0"),
        (with_then(None, relSize=1), ("LRVariator",), "either relSize"),
        (with_then(None, periodSteps=5, periodEpochs=1), ("LRVariator",), "not both"),
        ({"LRVariator": {"relSize": 1}}, ("LRVariator",), "toVal is missing"),
        (with_then({"LRVariator": {"toVal": 0.1}}), ("LRVariator", "then", "LRVariator"), "either relSize"),
        (with_then({"LRVariater": {}}), ("LRVariator", "then", "LRVariater"), "LRVariater"),
        (with_then({"LRVariator": 3}), ("LRVariator", "then", "LRVariator"), "pairs"),
        (with_then(3), ("LRVariator", "then"), "expected a name"),
        (with_then({"ReduceLROnPlateau": {}}), ("LRVariator", "then", "ReduceLROnPlateau"), "among the callbacks"),
        (
            with_then({"LRVariator": {"relSize": 1, "toVal": 0.1, "periodSteps": 7}}),
            ("LRVariator", "then", "LRVariator"),
            "counts from the first",
        ),
    ],
)
def test_wrong_variations_are_refused_where_they_stand(value: Any, path: Any, text: str) -> None:
    found, words = problem(value)
    assert found == path
    assert text in words


def test_a_constant_variation_needs_no_end() -> None:
    (leg,) = parse_schedule({"LRVariator": {"relSize": 1, "style": "const"}}).legs
    assert isinstance(leg, Variations)
    assert leg.pieces[0].toVal is None


def test_an_unknown_name_comes_with_all_known_ones() -> None:
    with pytest.raises(ProblemsAtError) as caught:
        parse_schedule("cosine_restart", ["mine"])
    error = caught.value.problems[0][1]
    assert isinstance(error, UnknownNameError)
    assert {"cosine_restarts", "LRVariator", "mine"} <= set(error.allowed)


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
