"""Covers toolkit/learning/predicting/shards.py and shard_plan.py; tests/commands/predicting/test_shard_units.py too."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.learning.predicting.shard_plan import divided

pytestmark = pytest.mark.tf


@given(st.lists(st.integers(1, 20), max_size=60), st.integers(1, 100), st.sampled_from([1, 2, 4, 16]))
def test_parts_have_all_images_in_order_and_end_where_batches_end(tiles: list[int], at_most: int, whole: int) -> None:
    parts = divided(tiles, at_most, whole)
    assert [number for first, count in parts for number in range(first, first + count)] == list(range(len(tiles)))
    assert all(count > 0 for _, count in parts)
    assert all(sum(tiles[:first]) % whole == 0 for first, _ in parts)


def test_parts_by_hand() -> None:
    assert divided([1] * 10, 4, 4) == [(0, 4), (4, 4), (8, 2)]
    assert divided([1] * 10, 6, 1) == [(0, 5), (5, 5)]
    assert divided([9] * 10, 1, 4) == [(0, 4), (4, 4), (8, 2)]
    assert divided([1] * 10, 100, 4) == [(0, 10)]
    assert divided([], 4, 4) == []
