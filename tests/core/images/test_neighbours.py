import random

import pytest

from toolkit.core.images.neighbours import SliceNumberError, stack_of


def neighbours(numbers: dict[str, float], offsets: list[int], *, nearest: bool = False) -> dict[str, str]:
    found = stack_of(numbers, offsets, nearest=nearest).neighbours
    return {one: "".join(several) for one, several in found.items()}


def test_the_first_and_last_slices_are_repeated() -> None:
    numbers = {"c": 9.0, "a": 7.0, "d": 10.0, "b": 8.0}
    assert neighbours(numbers, [-2, -1, 0, 1]) == {"a": "aaab", "b": "aabc", "c": "abcd", "d": "bcdd"}
    assert stack_of(numbers, [-2, -1, 0, 1]).at_edge == {"a", "b", "d"}
    assert stack_of(numbers, [0, 1]).at_edge == {"d"}
    assert stack_of(numbers, [0]).at_edge == set()


def test_offsets_give_the_order_of_the_channels() -> None:
    numbers = {"a": 1.0, "b": 2.0, "c": 3.0}
    assert neighbours(numbers, [0, 2, -1])["a"] == "aca"
    assert neighbours(numbers, [0]) == {"a": "a", "b": "b", "c": "c"}


def test_a_single_slice_is_its_own_neighbour() -> None:
    assert neighbours({"a": 5.0}, [-3, 0, 3]) == {"a": "aaa"}
    assert stack_of({"a": 5.0}, [-3, 0, 3]).at_edge == {"a"}


def test_distances_may_have_any_unit() -> None:
    assert neighbours({"a": -5.0, "b": -2.5, "c": 0.1}, [-1, 0, 1]) == {"a": "aab", "b": "abc", "c": "bcc"}


def test_slices_beside_a_gap_are_known() -> None:
    numbers = {"a": 1.0, "b": 2.0, "c": 3.0, "e": 5.0}
    assert stack_of(numbers, [0, 1], nearest=True).filled == {"c"}
    assert stack_of(numbers, [-2, 0, 1], nearest=True).filled == {"c"}
    assert stack_of(numbers, [-1, 0], nearest=True).filled == {"e"}
    assert stack_of({"a": 1.0, "b": 2.0}, [-1, 0, 1], nearest=True).filled == set()


def test_a_missing_slice_is_named() -> None:
    with pytest.raises(SliceNumberError, match=r"the slice 4 is missing after c: slices are 1 apart, and .* number 5"):
        stack_of({"a": 1.0, "b": 2.0, "c": 3.0, "e": 5.0}, [0, 1])
    assert neighbours({"a": 1.0, "c": 3.0, "e": 5.0}, [0, 1]) == {"a": "ac", "c": "ce", "e": "ee"}  # every second one


def test_the_nearest_slice_stands_for_a_missing_one() -> None:
    """Of two that are as near, the one on the side of the slice itself."""
    numbers = {"a": 1.0, "b": 2.0, "d": 4.0, "h": 8.0}
    assert neighbours(numbers, [-2, -1, 0, 1], nearest=True) == {"a": "aaab", "b": "aabb", "d": "bddd", "h": "hhhh"}
    assert neighbours(numbers, [0, 3], nearest=True) == {"a": "ad", "b": "bd", "d": "dh", "h": "hh"}


def test_equal_numbers_are_an_error() -> None:
    with pytest.raises(SliceNumberError, match="b and c both have the number 2"):
        stack_of({"a": 1.0, "c": 2.0, "b": 2.0}, [0, 1])


def test_the_order_of_the_slices_does_not_matter() -> None:
    names = list("abcdefgh")
    numbers = {name: 3.0 * place for place, name in enumerate(names)}
    shuffled = random.Random(0).sample(names, len(names))
    assert stack_of({name: numbers[name] for name in shuffled}, [-1, 0, 2]) == stack_of(numbers, [-1, 0, 2])
