"""Matplotlib figures: without a window system, and written to the same bytes every time."""

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.files.disk.writing import replacing
from toolkit.report.colours import INK, PAPER, QUIET_INK, hex_of

if TYPE_CHECKING:  # slow to import: only where a picture is drawn
    from matplotlib.figure import Figure

_TITLE, _NOTE_LINE, _EDGE = 0.55, 0.19, 0.14  # inches
_TITLE_POINTS, _NOTE_POINTS = 14, 9.5
_TITLE_LETTERS, _NOTE_LETTERS = 8, 12  # of an inch, in these sizes
_NOTE_LINES = 4


def new_figure(width: float, height: float) -> "Figure":
    """An empty figure of a size in inches."""
    from matplotlib.figure import Figure  # noqa: PLC0415 # slow to import

    return Figure(figsize=(width, height), dpi=120, layout="constrained", facecolor=hex_of(PAPER))


def titled_figure(width: float, height: float, title: str, note: str = "") -> "Figure":
    """A figure with a title, shortened to its width, and a note on up to four lines above so many inches for plots."""
    lines = textwrap.wrap(note, int(_NOTE_LETTERS * width), max_lines=_NOTE_LINES, placeholder=" …")
    whole = height + _TITLE + _NOTE_LINE * len(lines)
    figure = new_figure(width, whole)
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.set(rect=(0, 0, 1, height / whole))  # type: ignore[call-arg] # the engine is the constrained one
    letters = int(_TITLE_LETTERS * width)
    shown = title if len(title) <= letters else f"{title[: letters - 1]}…"
    left = _EDGE / width
    figure.text(left, 1 - _EDGE / whole, shown, va="top", color=hex_of(INK), fontsize=_TITLE_POINTS)
    figure.text(
        left, 1 - (_TITLE - 0.09) / whole, "\n".join(lines), va="top", color=hex_of(QUIET_INK), fontsize=_NOTE_POINTS
    )
    return figure


def write_figure(path: Path, figure: "Figure") -> None:
    """Write a figure as a PNG file, whole or not at all."""
    with replacing(path) as file:
        # The name of the software holds a version, which would change the file.
        figure.savefig(file, format="png", metadata={"Software": None})
