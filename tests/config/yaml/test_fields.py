from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import ValidationError

from toolkit.config.yaml.closed_model import ClosedModel
from toolkit.config.yaml.fields import (
    FilePath,
    Named,
    PositiveInteger,
    PositiveNumber,
    checked_by,
    one_of,
    parse_duration,
)
from toolkit.config.yaml.named_calls import UnknownNameError


def parse_even(value: Any, plugins: Any) -> int:
    if value in plugins:
        return 0
    if not isinstance(value, int | str) or len(str(value)) % 2:
        raise ValueError(f"expected an even number of signs, received {value!r}")
    return 1


class Example(ClosedModel):
    path: FilePath = Path()
    count: PositiveInteger = 1
    number: PositiveNumber = 1.0
    named: Named = ""
    word: Annotated[str, one_of(("left", "right"))] = "left"
    even: Annotated[str | tuple[int, ...], checked_by(parse_even)] = ""


def problem(**keys: Any) -> dict[str, Any]:
    with pytest.raises(ValidationError) as caught:
        Example(**keys)
    return dict(caught.value.errors()[0])


@pytest.mark.parametrize("path", ["a/b", Path("a/b")])
def test_a_path_is_written_as_text(path: Any) -> None:
    example = Example(path=path)
    assert example.path == Path("a/b")
    assert example.model_dump()["path"] == "a/b"


@pytest.mark.parametrize("path", [3, True, None, ("a",)])
def test_nothing_else_is_a_path(path: Any) -> None:
    assert problem(path=path)["loc"][0] == "path"


@pytest.mark.parametrize("value", [0, -1, True, 1.0, "1", None])
def test_a_count_is_a_whole_number_above_0(value: Any) -> None:
    assert problem(count=value)["loc"] == ("count",)


@pytest.mark.parametrize("value", [0, -1e-9, True, float("inf"), float("nan"), "1", None])
def test_a_positive_number_is_finite_and_above_0(value: Any) -> None:
    assert problem(number=value)["loc"] == ("number",)
    assert Example(number=1).number == 1


@pytest.mark.parametrize("value", ["Name", {"Name": {"argument": 1}}, ("Name", {"Name": None}), {}, ()])
def test_names_come_alone_in_a_mapping_or_in_a_list(value: Any) -> None:
    assert Example(named=value).named == value


@pytest.mark.parametrize("value", [3, 0.5, True, None])
def test_nothing_else_is_a_name(value: Any) -> None:
    assert problem(named=value)["loc"][0] == "named"


def test_an_invalid_word_is_reported_with_the_allowed_ones() -> None:
    error = problem(word="lift")["ctx"]["error"]
    assert isinstance(error, UnknownNameError)
    assert (error.received, error.allowed) == ("lift", ("left", "right"))


def test_parse_runs_before_the_types_are_checked() -> None:
    assert Example(even="four").even == "four"
    assert "expected an even number of signs, received 'odd'" in problem(even="odd")["msg"]
    assert "expected an even number of signs, received 123" in problem(even=123)["msg"]
    assert problem(even=12)["type"] == "string_type"


def test_parse_receives_the_names_of_plugins() -> None:
    with pytest.raises(ValidationError):
        Example.model_validate({"even": "own"})
    assert Example.model_validate({"even": "own"}, context={"plugins": {"own"}}).even == "own"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("8h", 28800),
        ("90m", 5400),
        ("1h30m", 5400),
        ("1h 30m 5s", 5405),
        (" 45s ", 45),
        ("1.5h", 5400),
        ("0h1s", 1),
        ("2h7s", 7207),
    ],
)
def test_hours_minutes_and_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "8", "h", "8 hours", "30m1h", "-1h", "0s", "0h0m", "1h1h", "1 5m", "8H", "٣h", "1e3s", "9" * 400 + "h"]
)
def test_other_durations_are_rejected_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match=r"for example 8h, 90m, 1h30m or 45s\), received"):
        parse_duration(text)
