import pytest

from toolkit.cluster.schedule import MOST_ATTEMPTS, Schedule
from toolkit.cluster.units import Unit


def nothing(*_: object) -> None:
    raise NotImplementedError


def unit(name: str, *after: str) -> Unit:
    return Unit(name, nothing, {}, 1, after)


A0, A1, A2, B0 = unit("a0"), unit("a1", "a0"), unit("a2", "a1"), unit("b0")


def test_a_unit_begins_after_those_that_it_waits_for() -> None:
    schedule = Schedule([A0, A1, B0])
    assert schedule.ready() == [A0, B0]
    assert schedule.begin(A0) == 1
    assert schedule.ready() == [B0]
    schedule.finish(A0)
    assert schedule.ready() == [A1, B0]
    for one in (A1, B0):
        schedule.begin(one)
        assert not schedule.is_over
        schedule.finish(one)
    assert schedule.is_over
    assert schedule.failures == []


def test_a_unit_that_dies_is_first_in_line_again() -> None:
    schedule = Schedule([B0, A0])
    schedule.begin(B0)
    schedule.begin(A0)
    assert schedule.die(A0, "the node is gone")
    assert schedule.ready() == [A0]
    assert schedule.begin(A0) == 2


def test_a_unit_that_dies_too_often_fails_and_takes_those_along_that_wait_for_it() -> None:
    schedule = Schedule([A0, A1, A2, B0])
    for number in range(MOST_ATTEMPTS):
        schedule.begin(A0)
        assert schedule.die(A0, "killed") == (number < MOST_ATTEMPTS - 1)
    assert [failure.unit for failure in schedule.failures] == [A0, A1, A2]
    assert schedule.failures[0].reason == "it died 3 times, the last time because killed"
    assert schedule.failures[2].reason == "a0 was not finished"
    assert schedule.ready() == [B0]
    schedule.begin(B0)
    schedule.finish(B0)
    assert schedule.is_over


def test_a_unit_that_could_not_begin_has_lost_no_attempt() -> None:
    schedule = Schedule([A0, B0])
    schedule.begin(A0)
    schedule.put_back(A0)
    assert schedule.ready() == [A0, B0]
    assert schedule.begin(A0) == 1


def test_a_mistake_is_not_tried_again() -> None:
    schedule = Schedule([A0, B0])
    schedule.begin(A0)
    schedule.fail(A0, "the loss is not a number")
    assert schedule.ready() == [B0]


@pytest.mark.parametrize("units", [[A0, A0], [A1, A0], [A1]])
def test_plans_that_cannot_be_carried_out_are_refused(units: list[Unit]) -> None:
    with pytest.raises(ValueError, match="that is not before it"):
        Schedule(units)
