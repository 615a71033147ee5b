"""The picture of a search: the score at each threshold and minimum area or object size."""

import textwrap
from collections import Counter
from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.core.arrays import Floats
from toolkit.core.metrics.metric import Metric
from toolkit.core.recipe.postprocess import describe
from toolkit.core.recipe.recipe import ClassRecipe, Recipe
from toolkit.core.tuning.area_histograms import recipe_of
from toolkit.core.tuning.recipe_search import Tuned
from toolkit.core.tuning.steps import Surface
from toolkit.report.colours import INK, PAPER, QUIET_INK, SKY_BLUE, VERMILION, hex_of
from toolkit.report.plots.figures import titled_figure, write_figure

if TYPE_CHECKING:  # slow to import: only where a picture is drawn
    from matplotlib.axes import Axes

_INK, _QUIET_INK, _PAPER = map(hex_of, (INK, QUIET_INK, PAPER))
_TUNED, _UNTUNED = map(hex_of, (VERMILION, SKY_BLUE))
_COLUMNS = 3
_TICKS = 8
_NOTE = "Colours show the score of the threshold and the minimum alone, without the other steps of a rule."
_TITLE_LETTERS = 9  # of an inch
_RING, _RING_STEP, _LARGEST_RING = 14.0, 5.0, 40.0  # points


def surface_picture(path: Path, name: str, tuned: Tuned, metric: Metric, classes: Sequence[str]) -> None:
    """Write a PNG with a panel for each class that was searched alone: thresholds across, minimum areas or sizes up.

    The untuned rule, the chosen rule, and the rules chosen without each fold are marked: the closer the latter are to
    each other, the more reliable is the choice. Equal ones are rings around each other. Inside the dashed line, scores
    are within one standard error of the best. The title gives the whole rule, which may have further steps. Nothing is
    written if no class was searched alone.
    """
    surfaces = tuned.surfaces
    if not surfaces:
        return
    columns = min(_COLUMNS, len(surfaces))
    rows = ceil(len(surfaces) / columns)
    title = f"{name}: out-of-fold score over the threshold"
    width = max(8.5, 6.2 * columns)
    figure = titled_figure(width, 5.0 * rows + 0.4, title, _NOTE)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, surface in zip(panels, surfaces, strict=False):
        label = metric.label if len(surfaces) == 1 else f"{metric.label} of {classes[surface.index]}"
        _draw(axes, surface, metric, tuned.standard_error)
        best = tuned.best if len(classes) == 1 else recipe_of(_rule(tuned.best, surface.index))
        axes.set_title(_title(f"{label}: {describe(best)}", width / columns), loc="left", color=_INK, fontsize=11)
        _mark(axes, surface, tuned)
    for axes in panels[len(surfaces) :]:
        axes.set_visible(False)
    shown = {label: handle for axes in panels for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    style: dict[str, Any] = {"ncols": 2, "frameon": False, "labelcolor": _INK, "fontsize": 10, "markerscale": 0.8}
    figure.legend(shown.values(), shown.keys(), loc="outside lower left", **style)
    write_figure(path, figure)


def _title(text: str, width: float) -> str:
    """The title of a panel of a width in inches, on up to three lines."""
    return textwrap.fill(text, int(_TITLE_LETTERS * width), max_lines=3, placeholder=" …")


def _draw(axes: "Axes", surface: Surface, metric: Metric, standard_error: float) -> None:
    from matplotlib.colors import Normalize, TwoSlopeNorm  # noqa: PLC0415 # slow to import

    scores = surface.scores.T
    finite = scores[np.isfinite(scores)]
    worst, best = (0.0, 1.0) if not len(finite) else (float(finite.min()), float(finite.max()))
    # Half of the surface has the colours of one half of the scale, because most of it is far worse than the best.
    middle = float(np.median(finite)) if len(finite) else 0.5
    scale = TwoSlopeNorm(middle, worst, best) if worst < middle < best else Normalize(worst, best)
    colours = "viridis" if metric.direction == "max" else "viridis_r"
    places = _edges(surface.thresholds), np.arange(len(scores) + 1) - 0.5
    drawn = axes.pcolormesh(*places, scores, norm=scale, cmap=colours)
    bar = axes.figure.colorbar(drawn, ax=axes)
    bar.outline.set_visible(False)
    ridge = best - standard_error if metric.direction == "max" else worst + standard_error
    if standard_error > 0 and worst < ridge < best:
        rows = np.arange(len(scores))
        edged = _edged()
        line = axes.contour(surface.thresholds, rows, scores, levels=[ridge], colors=_PAPER, linewidths=1.2)
        line.set(linestyle="--", path_effects=edged)
        style: dict[str, Any] = {"color": _PAPER, "linewidth": 1.2, "linestyle": "--", "path_effects": edged}
        axes.plot([], [], label="within one standard error of the best", **style)
    axes.set_xlabel("threshold", color=_INK)
    axes.set_ylabel(f"{surface.minimum.replace('_', ' ')}, pixels", color=_INK)
    ticks = np.unique(np.linspace(0, len(scores) - 1, min(_TICKS, len(scores))).round().astype(int))
    axes.set_yticks(ticks, [str(surface.minimums[tick]) for tick in ticks])
    axes.tick_params(colors=_QUIET_INK)
    axes.spines[:].set_visible(False)


def _mark(axes: "Axes", surface: Surface, tuned: Tuned) -> None:
    """Mark the rules; those of single folds are rings around each other and around the chosen rule."""
    for rule, marker, colour, size, label in (
        (ClassRecipe(), "s", _UNTUNED, 13, "untuned"),
        (_rule(tuned.best, surface.index), "*", _TUNED, 11, "chosen on all images"),
    ):
        axes.plot(
            [rule.threshold], [_height(rule, surface)], marker, color=colour,
            markersize=size, markeredgecolor=_PAPER, linestyle="none", clip_on=False, zorder=7, label=label,
        )  # fmt: skip
    edged = _edged()
    counted: Counter[tuple[float, float]] = Counter()
    for rule in (_rule(recipe, surface.index) for recipe in tuned.by_fold):
        place = (rule.threshold, _height(rule, surface))
        axes.plot(
            *([one] for one in place), "o", markerfacecolor="none", markeredgecolor=_PAPER, markeredgewidth=1.4,
            markersize=min(_RING + _RING_STEP * counted[place], _LARGEST_RING), linestyle="none", clip_on=False,
            zorder=6, path_effects=edged, label=None if counted else "chosen on the other folds",
        )  # fmt: skip
        counted[place] += 1


def _edged() -> list[Any]:
    """What makes white lines visible on white too: a dark edge."""
    from matplotlib.patheffects import withStroke  # noqa: PLC0415 # slow to import

    return [withStroke(linewidth=2.6, foreground=_INK)]


def _rule(recipe: Recipe, index: int) -> ClassRecipe:
    return recipe.classes[0] if len(recipe.classes) == 1 else recipe.classes[index]


def _height(rule: ClassRecipe, surface: Surface) -> float:
    """The place of the minimum of a rule on the axis, which has one row for each minimum that was tried."""
    minimums = surface.minimums
    return float(np.interp(getattr(rule, surface.minimum), minimums, np.arange(len(minimums))))


def _edges(centres: Floats) -> Floats:
    middles = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[2 * centres[0] - middles[0]], middles, [2 * centres[-1] - middles[-1]]])
