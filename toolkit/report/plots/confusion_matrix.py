"""The picture of a confusion matrix."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.core.metrics.confusion import Confusion
from toolkit.report.colours import EMPTY_CELL, INK, PAPER, QUIET_INK, hex_of
from toolkit.report.plots.figures import titled_figure, write_figure

if TYPE_CHECKING:  # slow to import: only where a picture is drawn
    from matplotlib.axes import Axes

_INK, _QUIET_INK, _LIGHT_INK = hex_of(INK), hex_of(QUIET_INK), hex_of(PAPER)
_CELL, _MARGIN, _SCALE = 0.72, 3.0, 0.7  # inches
_LARGEST = 16.0
_COUNTED_AT_MOST, _WRITTEN_AT_MOST = 25, 60
_WRITTEN_FROM = 0.01
_NAME_LENGTH = 22


def confusion_picture(path: Path, confusion: Confusion, names: Sequence[str], title: str, subtitle: str) -> None:
    """Write a PNG of a confusion matrix: each cell has its share of the row, as colour and number, and its pixels.

    Of many classes, only shares from one per cent are written, without pixels; of very many, the colours alone tell
    the shares.

    Args:
        path: of the file.
        confusion: the matrix.
        names: of its n classes.
        title: shortened to the width of the picture.
        subtitle: in small letters below the title, on a few lines.
    """
    side = min(_CELL * max(len(names), 4), _LARGEST)
    width = side + _MARGIN + _SCALE
    if _COUNTED_AT_MOST < len(names) <= _WRITTEN_AT_MOST:
        subtitle += f"; shares from {_WRITTEN_FROM:.0%} are written"
    figure = titled_figure(width, side + 0.45 * _MARGIN, title, subtitle)
    axes = figure.add_subplot()
    axes.set_facecolor(hex_of(EMPTY_CELL))
    shares = axes.imshow(np.ma.masked_invalid(100 * confusion.shares), cmap="Blues", vmin=0, vmax=100)
    bar = figure.colorbar(shares, ax=axes, shrink=min(1.0, 4 / side), anchor=(0, 1), pad=0.02, aspect=18)
    bar.outline.set_visible(False)
    bar.set_label("% of the true class", color=_INK)
    bar.ax.tick_params(colors=_QUIET_INK, length=0)
    if len(names) <= _COUNTED_AT_MOST:
        _write_cells(axes, confusion, side / len(names))
    elif len(names) <= _WRITTEN_AT_MOST:
        _write_shares(axes, confusion, side / len(names))
    _name(axes, [_shortened(name, _NAME_LENGTH) for name in names], confusion)
    write_figure(path, figure)


def _name(axes: "Axes", names: Sequence[str], confusion: Confusion) -> None:
    places = range(len(names))
    if len(names) <= 3:
        axes.set_xticks(places, names)
    else:
        axes.set_xticks(places, names, rotation=45, ha="right", rotation_mode="anchor")
    rows = zip(names, confusion.pixels.tolist(), strict=True)
    axes.set_yticks(places, [f"{name}\n{_short(pixels)} px" for name, pixels in rows])
    axes.set_xlabel("predicted", color=_INK)
    axes.set_ylabel("true", color=_INK)
    axes.tick_params(colors=_QUIET_INK, length=0)
    axes.spines[:].set_visible(False)


def _write_cells(axes: "Axes", confusion: Confusion, cell: float) -> None:
    """The share in per cent and, below it, the number of pixels, in letters that fit a cell of so many inches."""
    size = min(12.0, 14.5 * cell)
    for (row, column), share in np.ndenumerate(confusion.shares):
        if np.isnan(share):
            continue  # there are no pixels of the true class
        count = int(confusion.counts[row, column])
        style: dict[str, Any] = {"ha": "center", "textcoords": "offset points", "color": _ink_on(share)}
        axes.annotate(_per_cent(share), (column, row), (0, 0.1 * size), va="bottom", fontsize=size, **style)
        axes.annotate(
            _short(count), (column, row), (0, -0.1 * size), va="top", fontsize=0.75 * size, alpha=0.8, **style
        )


def _write_shares(axes: "Axes", confusion: Confusion, cell: float) -> None:
    """The larger shares in whole per cent."""
    for (row, column), share in np.ndenumerate(confusion.shares):
        if share >= _WRITTEN_FROM:
            style: dict[str, Any] = {"ha": "center", "va": "center", "color": _ink_on(share)}
            axes.text(column, row, f"{100 * share:.0f}", fontsize=min(9.0, 26 * cell), **style)


def _ink_on(share: float) -> str:
    """The colour of letters on the colour of a share; zeros stand back."""
    return _LIGHT_INK if share > 0.55 else _INK if share else _QUIET_INK


def _per_cent(share: float) -> str:
    return "<0.1" if 0 < share < 0.0005 else f"{100 * share:.1f}"


def _short(count: int) -> str:
    """A count in at most five characters: 812, 12.3k, 4.56M."""
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= size:
            return f"{count / size:.3g}{unit}"
    return str(int(count))


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
