from collections.abc import Iterable

import numpy as np
import pytest

from toolkit.core.masks.numbered_objects import Numbers, are_whole, pieces_of, torn_value, why_objects


def numbers(found: Iterable[int], pieces: int = 1, pixels: int = 20) -> Numbers:
    listed = dict.fromkeys(found, pixels)
    return Numbers(listed, len(listed), max(listed), pieces * len(listed))


def test_components_of_each_value_equal_those_of_its_mask() -> None:
    random = np.random.default_rng(0)
    for count in (3, 30):  # counted value by value, and at once
        plane = random.integers(0, count, (24, 30)).astype(np.uint16) * 7
        values = np.unique(plane).astype(np.int64)
        several = pieces_of(plane, values)
        assert several == {int(one): pieces_of(plane == one, np.array([1]))[1] for one in values}


@pytest.mark.parametrize(
    "files",
    [
        [numbers(range(1, 3)), numbers(range(1, 6))],
        [numbers(range(1, 71)), numbers(range(1, 71))],
        [numbers(range(1, 300)), numbers(range(1, 290))],
        [numbers([3, 90, 17]), numbers([4, 60, 21, 7])],
        [numbers(range(place, 30, 7)) for place in range(1, 8)],
        [numbers([*range(1, 9), *range(10, 10 + more)]) for more in (5, 8, 11)],
    ],
)
def test_numbers_of_objects(files: list[Numbers]) -> None:
    assert "one component each" in why_objects(files)


@pytest.mark.parametrize(
    "files",
    [
        [numbers(range(1, 6))],
        [numbers(range(1, 6)), numbers(range(1, 6))],
        [numbers([1]), numbers([1, 2])],
        [numbers(range(1, 3), pieces=3), numbers(range(1, 6), pieces=3)],
        [numbers([1, 4, 7]), numbers([1, 4, 9]), numbers([1, 7, 9]), numbers([1, 4, 7, 9])],
        [numbers([5]), numbers([9]), numbers([12])],
        [numbers(range(20, 90, 2), pixels=1), numbers(range(21, 99, 2), pixels=1)],
    ],
)
def test_numbers_that_may_be_classes_or_specks(files: list[Numbers]) -> None:
    assert why_objects(files) == ""


def test_without_counted_components_nothing_is_known() -> None:
    files = [numbers(range(1, 3), pieces=0), numbers(range(1, 6), pieces=0)]
    assert not are_whole(files)
    assert why_objects(files) == ""
    assert are_whole([*files, numbers([1, 2])])


def test_the_largest_value_is_torn_if_it_has_far_more_components() -> None:
    assert torn_value([{0: 1, 1: 1, 2: 2, 3: 90}, {0: 1, 3: 110}], (0, 1, 2, 3)) == (100, 2)
    assert torn_value([{0: 1, 1: 1, 2: 2, 3: 7}], (0, 1, 2, 3)) is None
    assert torn_value([{0: 1, 1: 1, 2: 90}], (0, 1, 2)) is None
