from collections.abc import Callable

import pytest

from tests.commands.conftest import Told
from toolkit.commands.ensembling.passes import Budget, Piece, run_pieces


class FakeClock:
    """A clock that only work moves."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


class Work:
    """Pieces that take `seconds` an image, and `compiling` more for the first one that is made."""

    def __init__(self, images: list[int], seconds: float = 1.0, compiling: float = 0.0) -> None:
        self.clock, self.made = FakeClock(), list[int]()
        self._seconds, self._compiling = seconds, compiling
        self.pieces = [Piece(count, self._making(number, count)) for number, count in enumerate(images)]

    def _making(self, number: int, count: int) -> Callable[[], None]:
        def make() -> None:
            self.clock.time += count * self._seconds + (0 if self.made else self._compiling)
            self.made.append(number)

        return make

    def run(self, seconds: float, told: Told, *, is_first: bool = True) -> bool:
        return run_pieces("pass", self.pieces, Budget(seconds, self.clock), told, is_first=is_first)


@pytest.mark.parametrize("is_first", [True, False])
def test_a_pass_that_fits_is_complete(is_first: bool, told: Told) -> None:
    work = Work([4, 4, 4], compiling=5)
    assert work.run(17.5, told, is_first=is_first)
    assert work.made == [0, 1, 2]
    assert told.lines == []


def test_no_piece_begins_that_would_not_end_in_time(told: Told) -> None:
    work = Work([4, 4, 4, 4])
    assert not work.run(13.0, told)
    assert work.made == [0, 1, 2]
    assert work.clock.time <= 1013


def test_the_first_pass_says_early_that_it_will_not_end_and_goes_on(told: Told) -> None:
    work = Work([10] * 10)
    assert not work.run(55, told)
    assert work.made == [0, 1, 2, 3, 4]
    (line,) = told.lines
    assert line.startswith("pass: takes another 1 min 20 s, and 35 s are left: most likely there will be no submission")


def test_a_later_pass_stops_as_soon_as_it_is_known_not_to_end(told: Told) -> None:
    work = Work([10] * 10)
    assert not work.run(55, told, is_first=False)
    assert work.made == [0, 1]
    assert told.lines == [
        "pass: takes another 1 min 20 s, and 35 s are left; stopped, and what it has predicted is kept"
    ]


def test_compiling_is_not_taken_for_the_speed(told: Told) -> None:
    work = Work([1] * 10, compiling=20)
    assert work.run(30.5, told, is_first=False)


def test_nothing_begins_when_the_time_is_over(told: Told) -> None:
    work = Work([1, 1])
    budget = Budget(5, work.clock)
    budget.keep_back(5)
    assert not run_pieces("pass", work.pieces, budget, told, is_first=False)
    assert work.made == []
    assert run_pieces("pass", [], budget, told, is_first=False)
