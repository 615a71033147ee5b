"""The learning-rate range test: learning rates to try, and the suggestion drawn from their losses."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from toolkit.core.arrays import Floats

FEWEST_POINTS = 10
MOST_POINTS = 100_000
_WINDOW_SHARE = 0.12
_DIVERGED = 4.0
_CLEAR_OF_NOISE = 6.0
_SMALLEST_FALL = 0.01


class FlatCurveError(ValueError):
    """The loss neither falls nor rises clearly."""


@dataclass(frozen=True)
class Suggestion:
    """The result of a range test.

    Attributes:
        rate: the suggested learning rate.
        steepest: the rate at which the smoothed loss falls fastest over the logarithm of the rate.
        lowest: the rate of the lowest smoothed loss.
        diverged_at: the first rate at which training had diverged; None if it never did.
    """

    rate: float
    steepest: float
    lowest: float
    diverged_at: float | None


def geometric_rates(low: float, high: float, count: int) -> Floats:
    """Learning rates from `low` to `high` at equal ratios, float64 (count,).

    Raises:
        ValueError: not 0 < low < high, or not between 10 and 100,000 rates.
    """
    if not 0 < low < high < np.inf:
        raise ValueError(f"expected 0 < low < high, received {low} and {high}")
    if count < FEWEST_POINTS:
        raise ValueError(f"a curve needs at least {FEWEST_POINTS} learning rates, received {count}")
    if count > MOST_POINTS:
        raise ValueError(f"a curve has at most {MOST_POINTS} learning rates, received {count}")
    return np.geomspace(low, high, count)


def suggest(rates: Sequence[float] | Floats, losses: Sequence[float] | Floats) -> Suggestion:
    """Suggest a learning rate from the loss of one batch at each of rising rates (Smith 2015, arXiv:1506.01186).

    Training has diverged at the first loss that is not finite or exceeds four times the lowest so far (the rule of
    fastai, here on medians of five). Before that point the lowest smoothed loss is sought, and before that the steepest
    fall. The suggestion is the rate of the steepest fall, but at most a tenth of the rate of the lowest loss: both are
    rules of fastai, and the smaller rate trains safely to the end.

    Args:
        rates: learning rates at equal ratios, rising.
        losses: one for each rate; they may become NaN or infinite.

    Raises:
        FlatCurveError: the loss neither falls nor rises clearly.
        ValueError: the rates do not rise, there are fewer than 10, training diverges at once, or the loss rises
            without having fallen.
    """
    tried, seen = np.asarray(rates, np.float64), np.asarray(losses, np.float64)
    _check(tried, seen)
    end = _divergence(seen) if np.isfinite(seen[0]) else 0
    diverged_at = float(tried[end]) if end < len(seen) else None
    if end < FEWEST_POINTS:
        raise ValueError(f"training diverges at once, at a learning rate of {tried[end]:.2g}; start the search lower")
    smooth, slopes = smoothed(tried[:end], seen[:end], len(seen))
    lowest = int(np.argmin(smooth))
    _check_fall(tried, seen[:end], smooth, lowest)
    steepest = int(np.argmin(slopes[: lowest + 1]))
    rate = min(float(tried[steepest]), float(tried[lowest]) / 10)
    return Suggestion(max(rate, float(tried[0])), float(tried[steepest]), float(tried[lowest]), diverged_at)


def smoothed(rates: Floats, losses: Floats, count: int | None = None) -> tuple[Floats, Floats]:
    """Smooth losses with a Savitzky-Golay filter of order 1, which also fits the two ends of the curve.

    Args:
        rates: learning rates at equal ratios, as `geometric_rates` gives them.
        losses: one for each rate.
        count: number of points of the whole curve, if these are only its beginning. The filter is an eighth of that
            wide.

    Returns:
        The smoothed losses and their slopes by the logarithm of the rate, both float64 like `losses`.
    """
    width = min(len(losses), max(5, round((count or len(losses)) * _WINDOW_SHARE)))
    width -= 1 - width % 2  # the filter needs a middle
    step, order = np.log(rates[-1] / rates[0]) / (len(rates) - 1), min(1, width - 1)
    smooth: Floats = scipy.signal.savgol_filter(losses, width, order)
    slopes: Floats = scipy.signal.savgol_filter(losses, width, order, deriv=1, delta=step)
    return smooth, slopes


def _check(rates: Floats, losses: Floats) -> None:
    if rates.ndim != 1 or rates.shape != losses.shape:
        raise ValueError(f"expected one loss for each rate, received shapes {rates.shape} and {losses.shape}")
    if len(rates) < FEWEST_POINTS:
        raise ValueError(f"a curve needs at least {FEWEST_POINTS} learning rates, received {len(rates)}")
    if not (rates[0] > 0 and np.isfinite(rates).all() and (np.diff(rates) > 0).all()):
        raise ValueError("learning rates must be positive and rise")


def _divergence(losses: Floats) -> int:
    """The index of the first loss at which training had diverged; the number of losses if it never did."""
    finite = np.isfinite(losses)
    end = len(losses) if finite.all() else int(np.argmin(finite))
    # Medians of five: a single hard batch, or one without foreground, is not divergence.
    medians = np.median(np.lib.stride_tricks.sliding_window_view(np.pad(losses[:end], 2, "edge"), 5), axis=1)
    floor = np.minimum.accumulate(medians)
    # If a loss is negative, its limit follows from how far it has fallen since the first one.
    high = np.where(floor > 0, _DIVERGED * floor, floor + (_DIVERGED - 1) * (medians[0] - floor))
    broken = np.flatnonzero((medians > high) & (medians > medians[0]))
    return int(broken[0]) if len(broken) else end


def _check_fall(rates: Floats, losses: Floats, smooth: Floats, lowest: int) -> None:
    neighbours = max(5, round(len(losses) * _WINDOW_SHARE))
    # Standard deviation of the noise from the median step, which is robust against a few odd batches.
    start, noise = float(np.mean(losses[:neighbours])), float(np.median(np.abs(np.diff(losses)))) * 1.4826 / np.sqrt(2)
    fall = start - float(smooth[lowest])
    clear = max(_CLEAR_OF_NOISE * noise / np.sqrt(neighbours), _SMALLEST_FALL * abs(start))
    if lowest > 0 and fall > clear:
        return
    risen = np.flatnonzero(smooth > start + clear)
    if len(risen):
        raise ValueError(
            f"the loss rises at a learning rate of {rates[risen[0]]:.2g} without having fallen; start the search "
            "lower, or use a larger batch"
        )
    raise FlatCurveError(
        f"the curve is flat: from {start:.4g} the loss falls by {max(fall, 0):.2g}, which is within its noise; end the "
        "search higher, or use a larger batch"
    )
