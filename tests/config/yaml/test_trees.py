import pytest

from toolkit.config.yaml.trees import as_in, is_replaced, merged, replaced, value_at
from toolkit.config.yaml.yaml_files import Replacing
from toolkit.errors import ConfigError

PARENT = {"a": {"x": 1, "y": {"z": 2}}, "b": (1, {"c": 3})}


def test_mappings_are_merged_and_everything_else_is_replaced() -> None:
    child = {"a": {"y": {"w": 5}}, "b": (9,), "d": 4}
    assert merged(PARENT, child) == {"a": {"x": 1, "y": {"z": 2, "w": 5}}, "b": (9,), "d": 4}
    assert merged(PARENT, {}) == PARENT
    assert merged({"a": 1}, {"a": {"x": 2}}) == {"a": {"x": 2}}


def test_a_mapping_that_replaces_is_not_merged_but_later_ones_are_merged_into_it() -> None:
    first = merged(PARENT, {"a": Replacing({"w": 5})})
    assert first["a"] == {"w": 5}
    assert merged(first, {"a": {"v": 6}})["a"] == {"w": 5, "v": 6}


@pytest.mark.parametrize(
    ("child", "expected"),
    [({}, False), ({"a": {}}, False), ({"a": 1}, True), ({"a": Replacing()}, True), ({"a": {"y": 3}}, True)],
)
def test_a_key_is_replaced_with_what_is_around_it(child: dict, expected: bool) -> None:
    assert is_replaced(("a", "y", "z"), child) == expected


def test_a_value_is_found_where_it_was_set() -> None:
    for key in (("a", "x"), ("b", 1, "c"), ("b", 0), ("new", "deep"), ("a",)):
        assert value_at(replaced(PARENT, key, "set", ""), key) == "set"
    assert value_at(PARENT, ("a", "none")) is value_at(PARENT, ("b", 7)) is value_at(PARENT, ("a", "x", "y")) is None
    assert PARENT["a"]["x"] == 1
    kept = replaced({"a": Replacing({"x": 1})}, ("a", "y"), 2, "")
    assert isinstance(kept["a"], Replacing)


def test_numbers_are_entries_of_lists_and_names_in_mappings() -> None:
    assert as_in({"a": ({"1": 2},)}, ("a", 0, 1)) == ("a", 0, "1")
    with pytest.raises(ConfigError, match="here: 5 is not an entry of this list, which has entries 0 to 1"):
        replaced(PARENT, ("b", 5), 1, "here")
    with pytest.raises(ConfigError, match="here: cannot set 'z' in 1, which is a single value"):
        replaced(PARENT, ("a", "x", "z"), 1, "here")
