"""Covers toolkit/config/yaml/named_calls.py and closed_model.py."""

from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, ValidationError

from toolkit.config.yaml.closed_model import ClosedModel
from toolkit.config.yaml.error_texts import describe_problems
from toolkit.config.yaml.named_calls import (
    Call,
    ProblemsAtError,
    UnknownNameError,
    checked_call,
    is_plugin,
    read_call,
    read_calls,
)
from toolkit.config.yaml.yaml_files import Document, Position


class Stopping(ClosedModel):
    patience: int
    mode: str = "max"


KINDS = {"Stopping": Stopping}


def test_the_three_forms_are_equivalent() -> None:
    assert read_calls("A") == (Call("A"),)
    assert read_calls({"A": {"x": 1}, "B": None}) == (Call("A", {"x": 1}, ("A",)), Call("B", {}, ("B",)))
    assert read_calls((({"A": {"x": 1}}), "B", "B")) == (
        Call("A", {"x": 1}, (0, "A")),
        Call("B", {}, (1,)),
        Call("B", {}, (2,)),
    )


@pytest.mark.parametrize("value", [3, None, True])
def test_other_forms_are_rejected(value: object) -> None:
    with pytest.raises(ValueError, match="expected a name"):
        read_calls(value)


@pytest.mark.parametrize("value", [{"A": 3}, [{"A": {}, "B": {}}], [3]])
def test_invalid_entries_are_rejected_at_their_path(value: object) -> None:
    with pytest.raises(ProblemsAtError) as error:
        read_calls(value)
    assert error.value.problems[0][0]


def test_exactly_one() -> None:
    assert read_call({"A": None}).name == "A"
    with pytest.raises(ValueError, match="A, B"):
        read_call(["A", "B"])


def test_names_of_plugins() -> None:
    assert is_plugin("mine", ["mine"])
    assert is_plugin("package.module.name", [])
    assert not is_plugin("mine", [])
    assert not is_plugin("../evil", [])
    assert checked_call(Call("mine", {"anything": 1}), KINDS, ["mine"]) is None


def test_arguments_are_validated() -> None:
    assert checked_call(Call("Stopping", {"patience": 3}), KINDS) == Stopping(patience=3)
    with pytest.raises(ProblemsAtError) as error:
        checked_call(Call("Stoping"), KINDS)
    assert isinstance(error.value.problems[0][1], UnknownNameError)


def check(value: object) -> object:
    for call in read_calls(value):
        checked_call(call, KINDS)
    return value


class Checked(ClosedModel):
    callbacks: Annotated[Any, AfterValidator(check)] = ()


@pytest.mark.parametrize(
    ("tree", "key", "text"),
    [
        (
            {"callbacks": {"Stopping": {"patiense": 3}}},
            ("callbacks", "Stopping", "patiense"),
            "callbacks.Stopping: key 'patiense' is not valid; did you mean 'patience'? choose from patience, mode",
        ),
        (
            {"callbacks": ({"Stopping": {"patience": "x"}},)},
            ("callbacks", 0, "Stopping", "patience"),
            "callbacks.0.Stopping.patience: expected a whole number, received 'x' (text)",
        ),
        (
            {"callbacks": {"Stoping": None}},
            ("callbacks", "Stoping"),
            "callbacks: 'Stoping' is not valid; did you mean 'Stopping'? choose from Stopping",
        ),
        ({"callbacks": "Stopping"}, ("callbacks",), "required key callbacks.patience is missing"),
    ],
)
def test_messages_point_at_the_line_of_the_argument(tree: dict, key: tuple, text: str) -> None:
    with pytest.raises(ValidationError) as error:
        Checked.model_validate(tree)
    document = Document(tree, {key: Position("c.yaml", 7)})
    problems = describe_problems(error.value, Checked, document, "c.yaml")
    assert any(problem.endswith(text) for problem in problems), problems
    assert any(problem.startswith("c.yaml:7") for problem in problems), problems
