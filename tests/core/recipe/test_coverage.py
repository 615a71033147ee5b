import pytest

from toolkit.core.recipe.coverage import Coverage, coverage, strange_differences


def test_shares_are_summarised() -> None:
    assert coverage([0.0, 0.2, 0.0, 0.4]) == Coverage(4, 0.5, pytest.approx(0.3))
    assert coverage([0.0, 0.0]) == Coverage(2, 1.0, 0.0)


def test_equal_masks_give_no_warning() -> None:
    for share, area in ((0.4, 0.2), (0.0, 1.0), (1.0, 0.0)):
        one = Coverage(1000, share, area)
        assert strange_differences(one, one) == []


def test_differences_within_chance_give_no_warning() -> None:
    oof = Coverage(1000, 0.4, 0.2)
    assert strange_differences(Coverage(10, 0.7, 0.6), oof) == []  # ten images say little
    assert strange_differences(Coverage(1000, 0.45, 0.25), oof) == []


def test_unlikely_differences_are_reported() -> None:
    oof = Coverage(1000, 0.4, 0.2)
    (told,) = strange_differences(Coverage(1000, 0.8, 0.2), oof)
    assert "80.0% of the test masks are empty, but 40.0% of the out-of-fold masks" in told
    (told,) = strange_differences(Coverage(1000, 0.4, 0.5), oof)
    assert "cover 50.0% of their images on average, out-of-fold masks 20.0%" in told
