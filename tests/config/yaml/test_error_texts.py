from typing import Annotated, Any, Literal

import pytest
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from toolkit.config.yaml.error_texts import describe_problems
from toolkit.config.yaml.named_calls import ProblemsAtError, UnknownNameError
from toolkit.config.yaml.yaml_files import Document, KeyPath, Position


def raised(value: Any) -> Any:
    """Raise a value that is an error."""
    if isinstance(value, ValueError):
        raise value
    return value


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Inner(_Closed):
    size: int
    colour: Literal["red", "green or blue"] = "red"


class Outer(_Closed):
    name: str
    ratio: Annotated[float, Field(gt=0)] = 1.0
    inner: Inner | None = None
    several: tuple[Inner, ...] = ()
    pair: tuple[int, int] = (1, 2)
    mixed: Annotated[tuple[dict[str, Any], ...] | dict[str, Any], Field(union_mode="left_to_right")] = ()
    names: Annotated[tuple[str, ...], Field(min_length=1, max_length=3)] = ("x",)
    word: Literal["all", "none"] | tuple[int, ...] = "all"
    count: Annotated[Annotated[int, Field(gt=0)] | tuple[str, ...], Field(union_mode="left_to_right")] = 1
    title: str = Field(default_factory=lambda data: data["name"])
    subtitle: str = Field(default_factory=lambda data: data["title"])
    called: Annotated[Any, AfterValidator(raised)] = None

    @model_validator(mode="after")
    def _not_forbidden(self) -> "Outer":
        if self.name == "forbidden":
            raise ProblemsAtError([(("name",), ValueError("it is forbidden"), None)])
        return self


def problems(tree: dict[str, Any], lines: dict[KeyPath, int] | None = None) -> list[str]:
    """The messages about a file `f` whose keys have the given lines."""
    positions = {key: Position("f", line) for key, line in (lines or {}).items()}
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(tree)
    return describe_problems(caught.value, Outer, Document(tree, positions), "f")


def test_a_valid_key_is_not_reported() -> None:
    assert problems({"name": "x", "ratio": "y"}, {("name",): 1, ("ratio",): 2}) == [
        "f:2: ratio: expected a number, received 'y' (text)"
    ]


def test_problems_come_in_the_order_of_their_lines() -> None:
    tree = {"inner": {"size": "x"}, "ratio": -1, "name": 3}
    lines = {("inner",): 10, ("inner", "size"): 11, ("ratio",): 9, ("name",): 2}
    assert [text.split(": ")[0] for text in problems(tree, lines)] == ["f:2", "f:9", "f:11"]


def test_a_key_without_a_position_has_that_of_its_parent() -> None:
    assert problems({"name": "x", "inner": {}}, {("name",): 3, ("inner",): 4}) == [
        "f:4: required key inner.size is missing"
    ]
    assert problems({}) == ["f:1: required key name is missing"]


def test_the_nearest_key_is_suggested_inside_the_mapping_where_it_is_wrong() -> None:
    tree = {"name": "x", "several": ({"size": 1}, {"size": 1, "sise": 2})}
    (text,) = problems(tree, {("several", 1, "sise"): 7})
    assert text == "f:7: several.1: key 'sise' is not valid; did you mean 'size'? choose from size, colour"


def test_the_keys_of_a_mapping_are_listed_for_its_first_unknown_key_only() -> None:
    tree = {"name": "x", "inner": {"size": 1, "sise": 2, "colur": 3, "zzz": 4}, "several": ({"size": 1, "a": 2},)}
    lines = {("inner", "zzz"): 2, ("inner", "sise"): 3, ("inner", "colur"): 4, ("several", 0, "a"): 5}
    assert problems(tree, lines) == [
        "f:2: inner: key 'zzz' is not valid; choose from size, colour",
        "f:3: inner: key 'sise' is not valid; did you mean 'size'?",
        "f:4: inner: key 'colur' is not valid; did you mean 'colour'?",
        "f:5: several.0: key 'a' is not valid",
    ]


def test_at_the_top_a_file_may_extend_another() -> None:
    (text,) = problems({"name": "x", "extend": "y"})
    assert text.startswith("f:1: key 'extend' is not valid; did you mean 'extends'?")


def test_an_allowed_value_is_suggested_whatever_its_case() -> None:
    (text,) = problems({"name": "x", "inner": {"size": 1, "colour": "RED"}})
    assert text.startswith("f:1: inner.colour: 'RED' is not valid; did you mean 'red'?")


def test_an_invalid_entry_of_a_list_is_one_problem() -> None:
    assert problems({"name": "x", "pair": (1, "y")}, {("pair", 1): 5}) == [
        "f:5: pair.1: expected a whole number, received 'y' (text)"
    ]


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("pair", (1,), "expected 2 entries, received 1"),
        ("pair", (), "expected 2 entries, received 0"),
        ("pair", (1, 2, 3), "expected at most 2 entries, received 3"),
        ("names", (), "expected at least 1 entry, received 0"),
        ("names", tuple("abcd"), "expected at most 3 entries, received 4"),
    ],
)
def test_the_length_of_a_list_is_reported(key: str, value: tuple[object, ...], problem: str) -> None:
    assert problems({"name": "x", key: value}, {(key,): 5}) == [f"f:5: {key}: {problem}"]


def test_a_union_is_one_problem_with_all_expected_types() -> None:
    (text,) = problems({"name": "x", "mixed": 3}, {("mixed",): 5})
    assert text == "f:5: mixed: expected a list or `key: value` pairs, received 3 (a whole number)"
    (text,) = problems({"name": "x", "word": 3})
    assert text == "f:1: word: expected all, none or a list, received 3 (a whole number)"


def test_an_invalid_word_in_a_union_is_reported_with_the_nearest_one() -> None:
    (text,) = problems({"name": "x", "word": "al"})
    assert text == "f:1: word: 'al' is not valid; did you mean 'all'? choose from all, none, or a list"


def test_a_union_reports_the_member_whose_type_matches() -> None:
    (text,) = problems({"name": "x", "count": 0})
    assert text == "f:1: count: must be greater than 0, received 0 (a whole number)"


def test_a_default_that_depends_on_an_invalid_key_is_not_reported() -> None:
    assert problems({"name": 3, "title": None}) == [
        "f:1: name: expected text, received 3 (a whole number)",
        "f:1: title: expected text, received nothing (null)",
    ]


def test_problems_inside_a_value_are_reported_at_their_keys() -> None:
    error = UnknownNameError("sise", ("size", "colour"))
    inside = ProblemsAtError([(("sise",), error, None), ((1, "size"), ValueError("too small"), None)])
    assert problems({"name": "x", "called": inside}, {("called",): 3, ("called", "sise"): 4}) == [
        "f:3: called.1.size: too small",
        "f:4: called: 'sise' is not valid; did you mean 'size'? choose from size, colour",
    ]


def test_problems_of_a_whole_model_are_reported_at_the_keys_that_they_name() -> None:
    assert problems({"name": "forbidden"}, {("name",): 8}) == ["f:8: name: it is forbidden"]


def test_an_invalid_entry_in_a_union_is_reported_at_the_entry() -> None:
    (text,) = problems({"name": "x", "mixed": ({"a": 1}, "b")}, {("mixed",): 5, ("mixed", 1): 6})
    assert text == "f:6: mixed.1: expected `key: value` pairs, received 'b' (text)"


def test_a_long_value_is_cut_short() -> None:
    (text,) = problems({"name": "x", "ratio": "y" * 5000})
    assert "yyy..." in text
    assert len(text) < 200
