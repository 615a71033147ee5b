import pytest

from toolkit.learning.schedules import SCHEDULES


def test_constant_stays() -> None:
    assert {SCHEDULES["constant"](progress / 10) for progress in range(10)} == {1.0}


def test_cosine_falls_from_one_to_zero() -> None:
    factors = [SCHEDULES["cosine"](progress / 10) for progress in range(11)]
    assert factors == sorted(factors, reverse=True)
    assert factors[0] == 1
    assert factors[5] == pytest.approx(0.5)
    assert factors[10] == pytest.approx(0)


def test_one_cycle_rises_to_its_peak_and_falls_to_nearly_nothing() -> None:
    one_cycle = SCHEDULES["one_cycle"]
    assert one_cycle(0) == pytest.approx(1 / 25)
    assert one_cycle(0.3) == pytest.approx(1)
    assert one_cycle(1) == pytest.approx(4e-6)
    assert max(one_cycle(progress / 100) for progress in range(101)) == pytest.approx(1)
