"""The curve of a learning-rate range test: the loss at each learning rate."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from toolkit.core.arrays import Floats
from toolkit.core.trials.lr_range_test import Suggestion, smoothed
from toolkit.report.colours import BLUE, GREY, GRID, INK, LIGHT_BLUE, QUIET_INK, VERMILION, hex_of
from toolkit.report.plots.figures import new_figure, write_figure

if TYPE_CHECKING:  # slow to import: only where a picture is drawn
    from matplotlib.axes import Axes

_LINE, _POINTS, _SUGGESTED, _DIVERGED = map(hex_of, (BLUE, LIGHT_BLUE, VERMILION, GREY))
_INK, _QUIET_INK, _GRID = map(hex_of, (INK, QUIET_INK, GRID))


def learning_rate_curve(
    path: Path,
    rates: Sequence[float] | Floats,
    losses: Sequence[float] | Floats,
    suggestion: Suggestion | None,
    title: str = "Loss at rising learning rates",
) -> None:
    """Write a PNG of a range test: every loss, the smoothed curve, and the suggested learning rate, if there is one.

    Losses that are not finite are left out. The range of losses that is shown follows the smoothed curve, so that
    diverging losses do not flatten it.
    """
    tried, seen = np.asarray(rates, np.float64), np.asarray(losses, np.float64)
    figure = new_figure(9, 5.2)
    axes = figure.add_subplot()
    _draw_losses(axes, tried, seen, suggestion)
    if suggestion is not None:
        _mark(axes, suggestion)
    axes.set_xscale("log")
    axes.set_xlim(tried[0], tried[-1])
    axes.set_xlabel("learning rate", color=_INK)
    axes.set_ylabel("training loss of one batch", color=_INK)
    axes.set_title(title, loc="left", color=_INK, fontsize=14, pad=28)
    axes.text(0, 1.03, _said(suggestion), transform=axes.transAxes, color=_QUIET_INK, fontsize=10.5)
    axes.grid(color=_GRID, which="major")
    axes.tick_params(colors=_QUIET_INK, which="both")
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_GRID)
    axes.legend(frameon=False, labelcolor=_INK, fontsize=10, loc="best")
    write_figure(path, figure)


def _draw_losses(axes: "Axes", rates: Floats, losses: Floats, suggestion: Suggestion | None) -> None:
    finite = np.isfinite(losses)
    broken = suggestion.diverged_at if suggestion is not None else None
    sound = finite & (rates < (broken or np.inf))
    axes.plot(rates[finite], losses[finite], ".", color=_POINTS, markersize=5, label="each batch", zorder=2)
    if sound.sum() < 2:
        return
    smooth, _ = smoothed(rates[sound], losses[sound], len(losses))
    axes.plot(rates[sound], smooth, color=_LINE, linewidth=2.2, label="smoothed", zorder=3)
    axes.set_ylim(*_heights(losses[sound], smooth))
    if broken is not None:
        axes.axvspan(broken, float(rates[-1]), color=_DIVERGED, alpha=0.12, linewidth=0, label="diverged", zorder=1)


def _heights(losses: Floats, smooth: Floats) -> tuple[float, float]:
    """The range of losses that is shown: without the end of a steep rise, and not so narrow that noise fills it."""
    low, middle = float(losses.min()), float(np.median(losses))
    high = min(float(losses.max()), max(middle + 4 * (middle - low), float(smooth[: (len(smooth) + 1) // 2].max())))
    least = 0.25 * abs(middle)
    if high - low < least:
        low, high = (low + high - least) / 2, (low + high + least) / 2
    margin = 0.08 * ((high - low) or 1)
    return low - margin, high + 2 * margin


def _mark(axes: "Axes", suggestion: Suggestion) -> None:
    axes.axvline(suggestion.rate, color=_SUGGESTED, linewidth=2, label=f"suggested: {suggestion.rate:.2g}", zorder=4)
    for rate, style, name in ((suggestion.steepest, "--", "steepest"), (suggestion.lowest, ":", "lowest")):
        if rate != suggestion.rate:
            axes.axvline(rate, color=_QUIET_INK, linewidth=1.2, linestyle=style, label=f"{name}: {rate:.2g}", zorder=2)


def _said(suggestion: Suggestion | None) -> str:
    if suggestion is None:
        return "no suggestion: the curve shows no range in which the loss falls"
    if suggestion.rate == suggestion.steepest:
        reason = "where the loss falls fastest"
    elif np.isclose(suggestion.rate, suggestion.lowest / 10):
        reason = "a tenth of the rate with the lowest loss"
    else:
        reason = "the lowest rate that was tried"
    return f"suggested learning rate {suggestion.rate:.2g}, {reason}"
