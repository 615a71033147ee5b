"""The lines of learning curves, one for each fold or class: all of them are seen, even where they are equal."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.core.arrays import Floats, Integers
from toolkit.files.experiment.history import Epoch
from toolkit.report.colours import INK, hex_of

if TYPE_CHECKING:  # slow to import: only where a picture is drawn
    from matplotlib.axes import Axes

_WIDTH, _MARK = 1.8, 7.0  # points
_BAND, _WIDEST_BAND = 1.6, 6.4  # points
_EQUAL = 0.01  # of the range of all lines

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


@dataclass(frozen=True)
class Line:
    """One value of some folds, in one colour; `starts` are the epochs before each stage, and before the end."""

    colour: str
    folds: Sequence[TrainedFold]
    value: Value
    starts: Sequence[int]

    def stages(self) -> Iterator[tuple[int, Floats, int]]:
        """Of each stage of each fold: its number, its values, and the number of its best epoch."""
        for one in self.folds:
            for number, (stage, best) in enumerate(zip(one.stages, one.best, strict=True)):
                if stage:
                    yield number, np.array([self.value(epoch) for epoch in stage], np.float64), best

    def values(self) -> Floats:
        """The values at each epoch, `float64 (folds, epochs)`; NaN where there is none."""
        found = np.full((len(self.folds), self.starts[-1]), np.nan)
        for row, one in zip(found, self.folds, strict=True):
            for stage, values, _ in Line(self.colour, [one], self.value, self.starts).stages():
                row[self.starts[stage] : self.starts[stage] + len(values)] = values
        return found


def draw_lines(axes: "Axes", lines: Sequence[Line], *, marks: bool = False, **style: Any) -> None:
    """Draw at least one line, broken between stages; it leads over epochs without a value.

    Values are marked where `are_marked` says so, for example with `validate_every: 2`.

    Where later lines lie on a line in a whole stage, it is wider than these, so that its colour shows at their sides.
    With `marks`, the best epochs are ringed.
    """
    starts = lines[0].starts
    on_top = lines_on_top([line.values() for line in lines], starts)
    band = min(_BAND, _WIDEST_BAND / max(1, int(on_top.max())))
    usual = {"linewidth": _WIDTH, "marker": ".", "markersize": _MARK, **style}
    for line, counts in zip(lines, on_top.tolist(), strict=True):
        for stage, values, best in line.stages():
            wider = band * counts[stage]
            drawn = {"linewidth": usual["linewidth"] + wider, "markersize": usual["markersize"] + 2 * wider}
            epochs, there = np.arange(len(values)) + starts[stage] + 1, np.isfinite(values)
            every: int | list[int] = 1 if are_marked(values) else []
            axes.plot(epochs[there], values[there], color=line.colour, markevery=every, **{**usual, **drawn})
            if marks:
                axes.plot([epochs[best]], [values[best]], **ring(line.colour, wider))


def are_marked(values: Floats) -> bool:
    """Whether each value of a stage is marked: some are missing, or there is one, which no line leads to."""
    there = np.isfinite(values)
    return not there.all() or len(values) == 1


def ring(colour: str, wider: float = 0.0) -> dict[str, Any]:
    """The mark of a best epoch."""
    return {
        "color": colour, "marker": "o", "markersize": _MARK + 2 * wider, "markeredgecolor": hex_of(INK),
        "linestyle": "none", "zorder": 5,
    }  # fmt: skip


def lines_on_top(lines: Sequence[Floats], starts: Sequence[int]) -> Integers:
    """How many later lines lie on each line in each stage, wherever both have values, `int64 (lines, stages)`.

    Args:
        lines: values, each `float64 (folds, epochs)`.
        starts: the epochs before each stage, and before the end.
    """
    finite = np.concatenate([line[np.isfinite(line)] for line in lines])
    tolerance = _EQUAL * float(np.ptp(finite)) if len(finite) else 0.0
    stages = [slice(*ends) for ends in pairwise(starts)]
    found = np.zeros((len(lines), len(stages)), np.int64)
    for (first, line), (_, later) in combinations(enumerate(lines), 2):
        if line.shape == later.shape:
            found[first] += [_coincide(line[:, stage], later[:, stage], tolerance) for stage in stages]
    return found


def _coincide(line: Floats, other: Floats, tolerance: float) -> bool:
    apart = np.abs(line - other)
    both = apart[np.isfinite(apart)]
    return len(both) > 0 and float(both.max()) <= tolerance
