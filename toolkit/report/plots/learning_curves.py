"""The learning curves of an experiment: losses, scores and learning rate of every epoch, a line for each fold."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.core.arrays import Floats
from toolkit.core.masks.labels import Activation
from toolkit.core.metrics.metric import class_label
from toolkit.files.experiment.history import Epoch
from toolkit.report.colours import GREY, GRID, INK, LINE_COLOURS, QUIET_INK, hex_of
from toolkit.report.plots.figures import new_figure, write_figure

if TYPE_CHECKING:  # slow to import: only where a picture is drawn
    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure

_INK, _QUIET_INK, _GRID, _GREY = map(hex_of, (INK, QUIET_INK, GRID, GREY))
_COLUMNS = 3
_PANEL = (4.9, 2.9)  # inches
_TOP, _LEGEND = 0.75, 0.4  # inches
_CLASSES_IN_A_PANEL = 8
_BACKGROUND = -1  # its number in place of that of a class
_NAME_LENGTH = 24
_LINE = 160  # letters across the legend
_LOG_ABOVE = 30  # ratio of the largest loss or learning rate to the smallest
_WORD_FITS = 0.12  # share of the epochs that a stage needs for the word "stage"

Value = Callable[[Epoch], float]


@dataclass(frozen=True)
class TrainedFold:
    """The training of one fold.

    Attributes:
        fold: its number, which decides the colour.
        title: for the legend, for example `fold 0`; folds with the same title are shown once.
        stages: the finished epochs of each stage.
        best: the number of the best epoch of each stage.
    """

    fold: int
    title: str
    stages: Sequence[Sequence[Epoch]]
    best: Sequence[int]


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
    groups = [numbered[start : start + _CLASSES_IN_A_PANEL] for start in range(0, len(classes), _CLASSES_IN_A_PANEL)]
    rows = [ceil((len(shown) + 2) / _COLUMNS), *(1 for _ in groups if several)]
    heights = [row * _PANEL[1] + _LEGEND for row in rows]
    figure = new_figure(_COLUMNS * _PANEL[0], sum(heights) + _TOP)
    figure.suptitle(title, x=0.01, ha="left", color=_INK, fontsize=15)
    parts: Any = figure.subfigures(len(rows), 1, height_ratios=heights, squeeze=False).ravel()
    _draw_totals(parts[0], trained, shown)
    for part, group in zip(parts[1:], groups, strict=False):
        _draw_classes(part, trained, several, group)
    write_figure(path, figure)


def _is_recorded(trained: Sequence[TrainedFold], name: str) -> bool:
    return any(name in epoch.scores for one in trained for stage in one.stages for epoch in stage)


def _draw_totals(part: "SubFigure", trained: Sequence[TrainedFold], metrics: Sequence[str]) -> None:
    """The panels of losses, metrics and learning rate, and a legend of the folds."""
    axes = part.subplots(ceil((len(metrics) + 2) / _COLUMNS), _COLUMNS, squeeze=False).ravel()
    _panel(axes[0], "loss", trained, lambda epoch: epoch.validation_loss, lambda epoch: epoch.loss, may_be_log=True)
    for place, name in enumerate(metrics, start=1):
        _panel(axes[place], name, trained, _score(name), _training_score(name))
    _panel(axes[len(metrics) + 1], "learning rate", trained, lambda epoch: epoch.learning_rate, may_be_log=True)
    for unused in axes[len(metrics) + 2 :]:
        unused.set_visible(False)
    lines = {one.title: _line(_colour(one.fold)) for one in trained}
    styles = {"validation": _line(_INK), "training batches": _line(_INK, linestyle=":"), "best epoch": _best()}
    _legend(part, [*lines.items(), *styles.items()])


def _draw_classes(
    part: "SubFigure", trained: Sequence[TrainedFold], metrics: Sequence[str], classes: Sequence[tuple[int, str]]
) -> None:
    """The panels of the metrics of some classes, pairs of number and name, and a legend of these classes."""
    axes = part.subplots(1, max(_COLUMNS, len(metrics)), squeeze=False).ravel()
    for panel, name in zip(axes, metrics, strict=False):
        for number, of_class in classes:
            _draw(panel, trained, _score(class_label(name, of_class)), number=number)
        _finish(panel, f"{name} of each class, validation", trained)
    for unused in axes[len(metrics) :]:
        unused.set_visible(False)
    _legend(part, [(_shortened(name), _line(_colour(number))) for number, name in classes])


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
        _draw(axes, trained, training, linestyle=":", linewidth=1.4, alpha=0.8)
    _draw(axes, trained, value, marks=True)
    _finish(axes, title, trained, may_be_log=may_be_log)


def _draw(
    axes: "Axes",
    trained: Sequence[TrainedFold],
    value: Value,
    *,
    number: int | None = None,
    marks: bool = False,
    **style: Any,
) -> None:
    """A line for each fold, broken between stages; a value between two missing ones is a point.

    The colour is that of `number`; by default each fold has its own.
    """
    for one in trained:
        colour = _colour(one.fold if number is None else number)
        for start, stage, best in zip(_starts(trained), one.stages, one.best, strict=False):
            if not stage:
                continue
            epochs = np.array([start + epoch.number + 1 for epoch in stage])
            values = np.array([value(epoch) for epoch in stage], np.float64)
            line = {"color": colour, "linewidth": 1.8, **style}
            axes.plot(epochs, values, marker=".", markersize=7, markevery=_alone(values), **line)
            if marks:
                axes.plot([start + best + 1], [value(stage[best])], **_mark(colour))


def _finish(axes: "Axes", title: str, trained: Sequence[TrainedFold], *, may_be_log: bool = False) -> None:
    """Title, range, marks between stages, grid and ticks."""
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 # slow to import

    drawn = np.concatenate([np.asarray(line.get_ydata(), np.float64) for line in axes.get_lines()])
    seen = drawn[np.isfinite(drawn)]
    if not len(seen):
        axes.text(0.5, 0.5, "no score", transform=axes.transAxes, ha="center", va="center", color=_QUIET_INK)
        axes.set_yticks([])
    elif may_be_log and seen.min() > 0 and seen.max() > _LOG_ABOVE * seen.min():
        axes.set_yscale("log")
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


def _starts(trained: Sequence[TrainedFold]) -> list[int]:
    """The number of epochs before each stage, in the fold with the longest stages, and of all."""
    stages = max(len(one.stages) for one in trained)
    longest = [max(len(one.stages[number]) for one in trained if number < len(one.stages)) for number in range(stages)]
    return [0, *np.cumsum(longest).tolist()]


def _alone(values: Floats) -> list[int]:
    """The places of values whose neighbours are missing, so that no line leads to them."""
    there = np.pad(np.isfinite(values), 1)
    return np.flatnonzero(there[1:-1] & ~there[:-2] & ~there[2:]).tolist()


def _score(name: str) -> Value:
    return lambda epoch: epoch.scores.get(name, np.nan)


def _training_score(name: str) -> Value:
    return lambda epoch: epoch.training.get(name, np.nan)


def _colour(number: int) -> str:
    return _GREY if number == _BACKGROUND else hex_of(LINE_COLOURS[number % len(LINE_COLOURS)])


def _line(colour: str, **style: Any) -> Any:
    from matplotlib.lines import Line2D  # noqa: PLC0415 # slow to import

    return Line2D([], [], color=colour, linewidth=2.2, **style)


def _mark(colour: str) -> dict[str, Any]:
    return {
        "color": colour, "marker": "o", "markersize": 7, "markeredgecolor": _INK, "linestyle": "none", "zorder": 5,
    }  # fmt: skip


def _best() -> Any:
    from matplotlib.lines import Line2D  # noqa: PLC0415 # slow to import

    return Line2D([], [], **_mark(_GREY))


def _legend(part: "SubFigure", entries: Sequence[tuple[str, Any]]) -> None:
    names, samples = zip(*entries, strict=True)
    columns = max(1, min(len(names), int(_LINE / (5 + max(map(len, names))))))
    style: dict[str, Any] = {"ncols": columns, "frameon": False, "labelcolor": _INK, "fontsize": 10}
    part.legend(samples, names, loc="outside lower left", **style)


def _shortened(name: str) -> str:
    """A name without its middle, because the ends of long names tell them apart."""
    half = _NAME_LENGTH // 2
    return name if len(name) <= _NAME_LENGTH else f"{name[:half]}…{name[1 - half :]}"
