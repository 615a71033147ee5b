from itertools import pairwise

import pytest

from toolkit.core.ensembling.dropping import Cost, Remaining, cost_of, drop_one_by_one

COSTS = [Cost(1, 4), Cost(2, 8), Cost(1, 4)]
SCORES = {0: 5.0, 1: 3.0, 2: 0.5}


def score(left: Remaining) -> float:
    return sum(SCORES[number] for number in left.members) + 1.0 * left.viewed


def chain(*, has_views: bool = True) -> list[Remaining]:
    return [
        left for left, _ in drop_one_by_one(3, COSTS, score, lambda before, after: before - after, has_views=has_views)
    ]


def test_what_loses_least_for_the_time_that_it_saves_goes_first() -> None:
    assert chain() == [
        Remaining((0, 1, 2), True),
        Remaining((0, 1, 2), False),  # 1.0 for 12, against 0.5 for 4
        Remaining((0, 1), False),
        Remaining((0,), False),
    ]


def test_each_step_is_a_part_of_the_one_before_and_takes_less_time() -> None:
    found = chain()
    for before, after in pairwise(found):
        assert after in before.drops()
        assert cost_of(after, COSTS) < cost_of(before, COSTS)
    assert found[-1].drops() == []


def test_without_views_only_members_go() -> None:
    assert chain(has_views=False) == [Remaining((0, 1, 2), False), Remaining((0, 1), False), Remaining((0,), False)]


def test_of_drops_that_lose_nothing_the_one_goes_that_saves_most() -> None:
    found = drop_one_by_one(3, COSTS, lambda left: 1.0, lambda before, after: before - after, has_views=False)
    assert [left.members for left, _ in found] == [(0, 1, 2), (0, 2), (2,)]


@pytest.mark.parametrize(("viewed", "weights"), [(False, (2, 0, 3, 0, 0, 0)), (True, (0, 0, 0, 2, 0, 3))])
def test_weights_of_all_maps(viewed: bool, weights: tuple[int, ...]) -> None:
    assert Remaining((0, 2), viewed).weights([2, 5, 3]) == weights
