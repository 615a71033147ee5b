import numpy as np
import pytest

from toolkit.core.arrays import Floats
from toolkit.core.trials.lr_range_test import geometric_rates, smoothed, suggest

RATES = geometric_rates(1e-6, 1, 100)


def curve(steepest: float, breakdown: float, noise: float = 0.02, seed: int = 0) -> Floats:
    """A loss that falls from 0.7 to 0.2, fastest at one rate, and rises steeply from another."""
    fall = 0.2 + 0.5 / (1 + np.exp(3 * (np.log10(RATES) - np.log10(steepest))))
    rise = np.where(breakdown < RATES, 0.3 * ((RATES / breakdown) ** 2 - 1), 0)
    return fall + rise + np.random.default_rng(seed).normal(0, noise, len(RATES))


def test_rates_rise_by_the_same_factor() -> None:
    rates = geometric_rates(1e-5, 0.1, 21)
    assert rates[0] == pytest.approx(1e-5)
    assert rates[-1] == pytest.approx(0.1)
    np.testing.assert_allclose(rates[1:] / rates[:-1], 10**0.2)


@pytest.mark.parametrize(("low", "high", "count"), [(0, 1, 20), (1, 0.1, 20), (0.1, float("inf"), 20), (0.1, 1, 9)])
def test_invalid_ranges_of_rates_are_rejected(low: float, high: float, count: int) -> None:
    with pytest.raises(ValueError, match="received"):
        geometric_rates(low, high, count)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("steepest", "breakdown"), [(1e-3, 5e-2), (1e-4, 1e-2), (1e-2, 0.4)])
def test_the_steepest_fall_and_the_lowest_loss_are_found(steepest: float, breakdown: float, seed: int) -> None:
    found = suggest(RATES, curve(steepest, breakdown, seed=seed))
    assert found.steepest == pytest.approx(steepest, rel=0.7)
    assert breakdown / 5 < found.lowest <= breakdown * 1.2
    assert found.rate == min(found.steepest, found.lowest / 10)
    assert found.diverged_at is not None
    assert breakdown < found.diverged_at < 3 * breakdown


def test_the_suggestion_is_at_most_a_tenth_of_the_rate_of_the_lowest_loss() -> None:
    found = suggest(RATES, curve(1e-3, 2e-3, noise=0))
    assert found.rate == found.lowest / 10 < found.steepest


def test_a_curve_that_never_rises_does_not_diverge() -> None:
    found = suggest(RATES, curve(1e-3, 10, noise=0))
    assert found.diverged_at is None
    assert found.lowest == 1


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_losses_after_one_that_is_not_finite_do_not_count(broken: float) -> None:
    losses = curve(1e-3, 5e-2)
    whole = suggest(RATES, losses)
    at = int(np.searchsorted(RATES, 0.06))
    losses[at:] = -100.0
    losses[at] = broken
    found = suggest(RATES, losses)
    assert found.diverged_at == RATES[at]
    assert found.steepest == pytest.approx(whole.steepest)


def test_the_unit_of_the_loss_and_of_the_rate_do_not_matter() -> None:
    losses = curve(1e-3, 5e-2)
    plain, scaled = suggest(RATES, losses), suggest(7 * RATES, 30 * losses)
    assert scaled.rate == pytest.approx(7 * plain.rate)
    assert scaled.lowest == pytest.approx(7 * plain.lowest)


def test_a_loss_may_fall_below_zero() -> None:
    found = suggest(RATES, curve(1e-3, 5e-2, noise=0.01) - 0.6)
    assert found.steepest == pytest.approx(1e-3, rel=0.7)
    assert found.diverged_at is not None


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("noise", [0.0, 0.02, 0.2])
def test_a_flat_curve_gives_no_suggestion(noise: float, seed: int) -> None:
    losses = 0.7 + np.random.default_rng(seed).normal(0, noise, 100)
    with pytest.raises(ValueError, match="the curve is flat"):
        suggest(RATES, losses)


@pytest.mark.parametrize("seed", range(5))
def test_a_rising_curve_gives_no_suggestion(seed: int) -> None:
    losses = 0.7 + np.linspace(0, 1, 100) ** 2 + np.random.default_rng(seed).normal(0, 0.02, 100)
    with pytest.raises(ValueError, match="without having fallen"):
        suggest(RATES, losses)


def test_one_odd_batch_is_not_divergence() -> None:
    losses = curve(1e-3, 5e-2)
    whole = suggest(RATES, losses)
    losses[20], losses[40] = 0.01, 3.0
    found = suggest(RATES, losses)
    assert found.diverged_at == whole.diverged_at
    assert found.lowest == pytest.approx(whole.lowest, rel=0.5)


def test_training_that_diverges_at_once_gives_no_suggestion() -> None:
    losses = np.full(100, np.nan)
    losses[:4] = 0.7
    with pytest.raises(ValueError, match="diverges at once"):
        suggest(RATES, losses)


@pytest.mark.parametrize(
    ("rates", "losses"),
    [
        (RATES[:9], np.ones(9)),
        (RATES, np.ones(99)),
        (RATES[::-1], np.ones(100)),
        (np.linspace(0, 1, 100), np.ones(100)),
    ],
)
def test_invalid_curves_are_rejected(rates: Floats, losses: Floats) -> None:
    with pytest.raises(ValueError, match=r"earning rates|one loss for each"):
        suggest(rates, losses)


def test_smoothing_keeps_a_straight_line_and_gives_its_slope() -> None:
    line = 3 - 0.25 * np.log(RATES)
    heights, slopes = smoothed(RATES, line)
    np.testing.assert_allclose(heights, line)
    np.testing.assert_allclose(slopes, -0.25)


def test_smoothing_reduces_noise() -> None:
    noise = np.random.default_rng(0).normal(size=100)
    assert smoothed(RATES, noise)[0].std() < 0.5 * noise.std()
