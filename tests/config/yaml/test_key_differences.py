from typing import Any

import pytest

from toolkit.config.yaml.key_differences import ABSENT, differences, written


def told(*trees: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    return {difference.key: difference.values for difference in differences(trees)}


CONFIG: dict[str, Any] = {
    "lr": 0.001,
    "loss": "dice",
    "data": {"images": "a", "test": None},
    "shape": (96, 96, 3),
    "stages": [{"epochs": 6, "lr": None}, {"epochs": 3, "lr": 0.1}],
    "augmentation": {"HorizontalFlip": 0.5, "Blur": {"p": 0.1}},
    "stratified": True,
}


def test_nothing_differs_from_itself() -> None:
    assert told(CONFIG, CONFIG, dict(CONFIG)) == {}
    assert told(CONFIG) == {}
    assert told({}, {}) == {}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 2),
        (0.1, 0.2),
        (1, "1"),
        (1, True),
        (0, False),
        (0.0, None),
        ("a", "b"),
        ("", None),
        (True, False),
        (None, {}),
        ({}, ()),
        ({"a": 1}, "a"),
        ([1], 1),
    ],
)
def test_values_of_every_type(one: Any, other: Any) -> None:
    assert told({"key": one}, {"key": other}) == {"key": (one, other)}
    assert told({"key": other}, {"key": one}) == {"key": (other, one)}
    assert told({"key": one}, {}) == {"key": (one, ABSENT)}


@pytest.mark.parametrize(("one", "other"), [(1, 1.0), ([1, 2], (1, 2)), ({}, {}), (None, None)])
def test_equal_values_of_different_types_do_not_differ(one: Any, other: Any) -> None:
    assert told({"key": one}, {"key": other}) == {}


def test_keys_of_mappings_and_places_of_lists_are_dotted() -> None:
    other = CONFIG | {
        "data": {"images": "b", "test": None},
        "shape": (96, 128, 3),
        "stages": [{"epochs": 6, "lr": 0.01}, {"epochs": 4, "lr": 0.1}],
        "augmentation": {"HorizontalFlip": 0.5, "Blur": {"p": 0.2}},
    }
    assert told(CONFIG, other) == {
        "data.images": ("a", "b"),
        "shape.1": (96, 128),
        "stages.0.lr": (None, 0.01),
        "stages.1.epochs": (3, 4),
        "augmentation.Blur.p": (0.1, 0.2),
    }


def test_an_absent_mapping_is_one_difference() -> None:
    other = CONFIG | {"stages": CONFIG["stages"][:1], "augmentation": {"HorizontalFlip": 0.5}, "new": None}
    assert told(CONFIG, other) == {
        "stages.1": ({"epochs": 3, "lr": 0.1}, ABSENT),
        "augmentation.Blur": ({"p": 0.1}, ABSENT),
        "new": (ABSENT, None),
    }


def test_trees_that_have_a_mapping_are_compared_inside() -> None:
    one, two, three = {"a": {"x": 1, "y": 2}}, {"a": {"x": 1, "y": 3}}, {"b": 0}
    assert told(one, three, two) == {
        "a": ({"x": 1, "y": 2}, ABSENT, {"x": 1, "y": 3}),
        "a.y": (2, ABSENT, 3),
        "b": (ABSENT, 0, ABSENT),
    }


def test_another_order_is_a_difference() -> None:
    assert told({"augmentation": {"A": 1, "B": 2}}, {"augmentation": {"B": 2, "A": 1}}) == {
        "augmentation (order)": ("A, B", "B, A")
    }
    assert told({"lr": 1, "loss": 2}, {"loss": 2, "lr": 1}) == {}  # keys at the top have no order
    assert "augmentation (order)" not in told({"augmentation": {"A": 1, "B": 2}}, {"augmentation": {"C": 0, "B": 2}})


def test_the_order_of_the_trees_is_that_of_the_values() -> None:
    trees = [{"a": number, "b": {"c": [number] * number}} for number in range(4)]
    forwards, backwards = told(*trees), told(*trees[::-1])
    assert set(forwards) == set(backwards)
    assert all(backwards[key] == values[::-1] for key, values in forwards.items())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (ABSENT, "–"),
        (None, "null"),
        (True, "true"),
        (0.0001, "0.0001"),
        ("dice", "dice"),
        ((96, 96), "[96, 96]"),
        ({"p": 0.5, "by": None, "in": [True, None]}, "{p: 0.5, in: [true, null]}"),
    ],
)
def test_values_are_written_like_yaml(value: Any, text: str) -> None:
    assert written(value) == text


def test_the_order_of_nested_keys_is_compared_on_request_only() -> None:
    trees = [{"augmentation": {"A": 1, "B": 2}}, {"augmentation": {"B": 2, "A": 1}}]
    assert [one.key for one in differences(trees)] == ["augmentation (order)"]
    assert differences(trees, with_order=False) == []
