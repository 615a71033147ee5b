from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from toolkit.config.problems import describe_problems
from toolkit.config.yaml_files import Document, KeyPath, Position


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


def problems(tree: dict[str, Any], lines: dict[KeyPath, int] | None = None) -> list[str]:
    """Texts about a file `f` whose keys stand in the given lines."""
    positions = {key: Position("f", line) for key, line in (lines or {}).items()}
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(tree)
    return describe_problems(caught.value, Outer, Document(tree, positions), "f")


def test_a_sound_neighbour_is_not_mentioned() -> None:
    assert problems({"name": "x", "ratio": "y"}, {("name",): 1, ("ratio",): 2}) == [
        "f:2: ratio: expected a number, received 'y' (text)"
    ]


def test_problems_come_in_the_order_of_their_lines() -> None:
    tree = {"inner": {"size": "x"}, "ratio": -1, "name": 3}
    lines = {("inner",): 10, ("inner", "size"): 11, ("ratio",): 9, ("name",): 2}
    assert [text.split(": ")[0] for text in problems(tree, lines)] == ["f:2", "f:9", "f:11"]


def test_a_key_without_a_place_of_its_own_has_its_parents() -> None:
    assert problems({"name": "x", "inner": {}}, {("name",): 3, ("inner",): 4}) == ["f:4: the key inner.size is missing"]
    assert problems({}) == ["f:1: the key name is missing"]


def test_the_nearest_key_is_suggested_inside_the_mapping_where_it_is_wrong() -> None:
    tree = {"name": "x", "several": ({"size": 1}, {"size": 1, "sise": 2})}
    (text,) = problems(tree, {("several", 1, "sise"): 7})
    assert text == "f:7: unknown key 'sise' in several.1; did you mean 'size'? Allowed: size, colour"


def test_at_the_top_a_file_may_extend_another() -> None:
    (text,) = problems({"name": "x", "extend": "y"})
    assert text.startswith("f:1: unknown key 'extend'; did you mean 'extends'?")


def test_an_allowed_value_is_suggested_whatever_its_case() -> None:
    (text,) = problems({"name": "x", "inner": {"size": 1, "colour": "RED"}})
    assert text.startswith("f:1: inner.colour: unknown value 'RED'; did you mean 'red'?")


def test_a_wrong_entry_of_a_list_is_one_problem_not_two() -> None:
    assert problems({"name": "x", "pair": (1, "y")}, {("pair", 1): 5}) == [
        "f:5: pair.1: expected a whole number, received 'y' (text)"
    ]


@pytest.mark.parametrize("pair", [(1,), (1, 2, 3), ()])
def test_the_length_of_a_list_is_told(pair: tuple[int, ...]) -> None:
    (text,) = problems({"name": "x", "pair": pair}, {("pair",): 5})
    assert text == "f:5: pair: the list has the wrong number of entries"


def test_a_union_is_one_problem_with_both_expectations() -> None:
    (text,) = problems({"name": "x", "mixed": 3}, {("mixed",): 5})
    assert text.count("f:5") == 1
    assert "expected a list, received 3" in text
    assert "expected `key: value` pairs, received 3" in text


def test_a_wrong_entry_in_a_union_is_told_by_its_entry() -> None:
    (text,) = problems({"name": "x", "mixed": ({"a": 1}, "b")}, {("mixed",): 5, ("mixed", 1): 6})
    assert text == "f:6: mixed.1: expected `key: value` pairs, received 'b' (text)"


def test_a_long_value_is_cut_short() -> None:
    (text,) = problems({"name": "x", "ratio": "y" * 5000})
    assert "yyy..." in text
    assert len(text) < 200
