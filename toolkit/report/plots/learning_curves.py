"""The learning curves of an experiment: losses, scores and learning rate of every epoch, a line for each fold."""

from collections.abc import Sequence
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.core.arrays import Floats
from toolkit.core.masks.labels import Activation
from toolkit.core.metrics.metric import class_label
from toolkit.report.colours import GREY, GRID, INK, PAPER, QUIET_INK, hex_of, line_colour
from toolkit.report.plots.curve_lines import Line, TrainedFold, Value, are_marked, draw_lines, ring
from toolkit.report.plots.figures import titled_figure, write_figure

if TYPE_CHECKING:  # slow to import: only where a picture is drawn
    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure

_INK, _QUIET_INK, _GRID, _GREY, _PAPER = map(hex_of, (INK, QUIET_INK, GRID, GREY, PAPER))
_WIDTHS = {3: 14.7, 4: 16.6, 5: 18.5}
"""Of a figure in inches, by the number of panels beside each other."""
_PANEL, _LEGEND_EDGE, _LEGEND_ROW = 2.9, 0.18, 0.22  # inches high
_LETTERS, _SAMPLE = 12, 8  # letters of a legend in an inch, and in place of its sample of a line
_CLASSES_IN_A_PANEL = 8
_BACKGROUND = -1  # its number in place of that of a class
_NAME_LENGTH = 24
_OF_A_CLASS = {"miou": "IoU", "global_precision": "precision", "global_recall": "recall"}
"""What a metric is called for a single class."""
_LOG_ABOVE = 30  # ratio of the largest loss or learning rate to the smallest
_CONSTANT = 1e-6  # of the largest value
_SHARES = (-0.03, 1.03)  # range of scores that do not change
_WORD_FITS = 0.12  # share of the epochs that a stage needs for the word "stage"

_TRAINING_POINT: dict[str, Any] = {"marker": "o", "markersize": 4.5, "markerfacecolor": _PAPER, "zorder": 6}
"""A training value without neighbours, which must not look like the best epoch."""

Entry = tuple[str, Any]
"""A name in a legend and its sample."""


def learning_curves(
    path: Path,
    title: str,
    trained: Sequence[TrainedFold],
    *,
    metrics: Sequence[str],
    class_metrics: Sequence[str],
    classes: Sequence[str],
    activation: Activation,
) -> None:
    """Write a PNG with a panel for the losses, each metric, and the learning rate.

    Stages follow each other, each from the same epoch in all folds. With several classes there is a panel for each of
    `class_metrics` as well, with a line for each class and fold; very many classes are divided among several rows.

    Args:
        path: of the file.
        title: one line.
        trained: at least one fold with an epoch.
        metrics: the names of the scores in the order of the panels; those that no epoch has are left out.
        class_metrics: the names of those that are drawn for each class.
        classes: the names of the classes.
        activation: with softmax the first of several classes is background.
    """
    first = 1 if activation == "softmax" else 0
    numbered = [(number - first, name) for number, name in enumerate(classes)]
    shown = [name for name in metrics if _is_recorded(trained, name)]
    several = [name for name in class_metrics if _is_recorded(trained, class_label(name, classes[0]))]
    starts = range(0, len(classes), _CLASSES_IN_A_PANEL) if several else ()
    groups = [numbered[start : start + _CLASSES_IN_A_PANEL] for start in starts]
    columns = columns_of(len(shown) + 2)
    width = _WIDTHS[columns]
    legends = [legend_rows(width, *_of_folds(trained)), *(legend_rows(width, _of_classes(group)) for group in groups)]
    rows = [ceil((len(shown) + 2) / columns), *(1 for _ in groups)]
    heights = [
        row * _PANEL + _LEGEND_EDGE + _LEGEND_ROW * len(legend) for row, legend in zip(rows, legends, strict=True)
    ]
    figure = titled_figure(width, sum(heights), title)
    parts: Any = figure.subfigures(len(rows), 1, height_ratios=heights, squeeze=False).ravel()
    _draw_totals(parts[0].subplots(rows[0], columns, squeeze=False).ravel(), trained, shown)
    for part, group in zip(parts[1:], groups, strict=True):
        _draw_classes(part.subplots(1, max(min(_WIDTHS), len(several)), squeeze=False).ravel(), trained, several, group)
    for part, legend in zip(parts, legends, strict=True):
        _draw_legend(part, legend)
    write_figure(path, figure)


def columns_of(panels: int) -> int:
    """How many panels are beside each other: the fewest that fill at least half of the last row."""
    return next((count for count in _WIDTHS if 2 * ((panels - 1) % count + 1) >= count), min(_WIDTHS))


def _is_recorded(trained: Sequence[TrainedFold], name: str) -> bool:
    return any(name in epoch.scores for one in trained for stage in one.stages for epoch in stage)


def _draw_totals(panels: Sequence["Axes"], trained: Sequence[TrainedFold], metrics: Sequence[str]) -> None:
    """The panels of losses, metrics and learning rate."""
    _panel(panels[0], "loss", trained, lambda epoch: epoch.validation_loss, lambda epoch: epoch.loss, may_be_log=True)
    for panel, name in zip(panels[1:], metrics, strict=False):
        _panel(panel, name, trained, _score(name), _training_score(name))
    _panel(panels[len(metrics) + 1], "learning rate", trained, lambda epoch: epoch.learning_rate, may_be_log=True)
    for unused in panels[len(metrics) + 2 :]:
        unused.set_visible(False)


def _panel(
    axes: "Axes",
    title: str,
    trained: Sequence[TrainedFold],
    value: Value,
    training: Value | None = None,
    *,
    may_be_log: bool = False,
) -> None:
    if training is not None:
        draw_lines(axes, _lines(trained, training), linestyle=":", linewidth=1.4, alpha=0.8, **_TRAINING_POINT)
    draw_lines(axes, _lines(trained, value), marks=True)
    _finish(axes, title, trained, may_be_log=may_be_log)


def _lines(trained: Sequence[TrainedFold], value: Value) -> list[Line]:
    """A line for each fold; several seeds of a fold are one line."""
    folds = dict.fromkeys(one.fold for one in trained)
    starts = _starts(trained)
    return [Line(_colour(fold), [one for one in trained if one.fold == fold], value, starts) for fold in folds]


def _draw_classes(
    panels: Sequence["Axes"],
    trained: Sequence[TrainedFold],
    metrics: Sequence[str],
    classes: Sequence[tuple[int, str]],
) -> None:
    """The panels of the metrics of some classes, pairs of number and name."""
    starts = _starts(trained)
    for panel, name in zip(panels, metrics, strict=False):
        values = [(number, _score(class_label(name, of_class))) for number, of_class in classes]
        draw_lines(panel, [Line(_colour(number), trained, value, starts) for number, value in values])
        _finish(panel, f"{_OF_A_CLASS.get(name, name)} of each class, validation", trained)
    for unused in panels[len(metrics) :]:
        unused.set_visible(False)


def _finish(axes: "Axes", title: str, trained: Sequence[TrainedFold], *, may_be_log: bool = False) -> None:
    """Title, range, marks between stages, grid and ticks."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator  # noqa: PLC0415 # slow to import

    drawn = np.concatenate([np.asarray(line.get_ydata(), np.float64) for line in axes.get_lines()])
    seen = drawn[np.isfinite(drawn)]
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value + 0.0:.6g}"))
    if not len(seen):
        axes.text(0.5, 0.5, "no score", transform=axes.transAxes, ha="center", va="center", color=_QUIET_INK)
        axes.set_yticks([])
    elif may_be_log and seen.min() > 0 and seen.max() > _LOG_ABOVE * seen.min():
        axes.set_yscale("log")
    elif (limits := range_of_constant(seen, are_scores=not may_be_log)) is not None:
        axes.set_ylim(*limits)
    *starts, end = _starts(trained)
    axes.set_xlim(0.5, end + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
    several = len(starts) > 1
    for number, (start, next_start) in enumerate(pairwise([*starts, end]) if several else ()):
        if start:
            axes.axvline(start + 0.5, color=_GREY, linewidth=1, zorder=1)
        name = f"stage {number}" if next_start - start > _WORD_FITS * end else str(number)
        axes.annotate(
            name, (start + 0.5, 1), (1, 2), xycoords=("data", "axes fraction"), textcoords="offset points",
            fontsize=8.5, color=_QUIET_INK,
        )  # fmt: skip
    axes.set_title(title, loc="left", color=_INK, fontsize=11, pad=16 if several else 6)
    axes.set_xlabel("epoch", color=_QUIET_INK, fontsize=9)
    axes.grid(color=_GRID)
    axes.tick_params(colors=_QUIET_INK, which="both", labelsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_GRID)


def range_of_constant(seen: Floats, *, are_scores: bool) -> tuple[float, float] | None:
    """The range of an axis for values that are all equal: 0–1 for scores, else from 0 on; None if they differ."""
    low, high = float(seen.min()), float(seen.max())
    if high - low > _CONSTANT * max(abs(low), abs(high)):
        return None
    if low == 0 or (are_scores and low >= 0 and high <= 1):
        return _SHARES
    return min(0.0, 2 * low), max(0.0, 2 * high)


def _starts(trained: Sequence[TrainedFold]) -> list[int]:
    """The number of epochs before each stage, in the fold with the longest stages, and of all."""
    stages = max(len(one.stages) for one in trained)
    longest = [max(len(one.stages[number]) for one in trained if number < len(one.stages)) for number in range(stages)]
    return [0, *np.cumsum(longest).tolist()]


def _score(name: str) -> Value:
    return lambda epoch: epoch.scores.get(name, np.nan)


def _training_score(name: str) -> Value:
    return lambda epoch: epoch.training.get(name, np.nan)


def _colour(number: int) -> str:
    return _GREY if number == _BACKGROUND else hex_of(line_colour(number))


def _of_folds(trained: Sequence[TrainedFold]) -> tuple[list[Entry], list[Entry]]:
    """The legend of the folds, and that of what is drawn of each."""
    folds = {one.title: _sample(_colour(one.fold)) for one in trained}
    losses = (np.array([epoch.loss for epoch in stage], np.float64) for one in trained for stage in one.stages)
    point = _TRAINING_POINT if any(map(are_marked, losses)) else {}
    return list(folds.items()), [
        ("validation", _sample(_INK)),
        ("training batches", _sample(_INK, linestyle=":", **point)),
        ("best epoch", _sample(**ring(_GREY))),
    ]


def _of_classes(classes: Sequence[tuple[int, str]]) -> list[Entry]:
    return [(_shortened(name), _sample(_colour(number))) for number, name in classes]


def _sample(color: str, **style: Any) -> Any:
    from matplotlib.lines import Line2D  # noqa: PLC0415 # slow to import

    return Line2D([], [], **{"color": color, "linewidth": 2.2, **style})


def legend_rows(width: float, *groups: Sequence[Entry]) -> list[list[Entry]]:
    """The entries of a legend in rows that fit so many inches; each group has rows of its own if one is not enough."""
    longest = max(len(name) for group in groups for name, _ in group)
    columns = max(1, int(_LETTERS * width / (_SAMPLE + longest)))
    together = [entry for group in groups for entry in group]
    if len(together) <= columns:
        return [together]
    return [list(group[start : start + columns]) for group in groups for start in range(0, len(group), columns)]


def _draw_legend(part: "SubFigure", rows: Sequence[Sequence[Entry]]) -> None:
    """A legend that reads row by row; matplotlib fills columns, so that short rows are filled up with nothing."""
    columns = max(map(len, rows))
    nothing = ("", _sample(_PAPER, linestyle="none"))
    full = [[*row, *[nothing] * (columns - len(row))] for row in rows]
    names, samples = zip(*(row[column] for column in range(columns) for row in full), strict=True)
    style: dict[str, Any] = {"ncols": columns, "frameon": False, "labelcolor": _INK, "fontsize": 10}
    part.legend(samples, names, loc="outside lower left", **style)


def _shortened(name: str) -> str:
    """A name without its middle, because the ends of long names tell them apart."""
    half = _NAME_LENGTH // 2
    return name if len(name) <= _NAME_LENGTH else f"{name[:half]}…{name[1 - half :]}"
