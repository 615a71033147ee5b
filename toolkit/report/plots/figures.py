"""Matplotlib figures: without a window system, and written to the same bytes every time."""

from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.files.disk.writing import replacing
from toolkit.report.colours import PAPER, hex_of

if TYPE_CHECKING:  # slow to import: only where a picture is drawn
    from matplotlib.figure import Figure


def new_figure(width: float, height: float) -> "Figure":
    """An empty figure of a size in inches."""
    from matplotlib.figure import Figure  # noqa: PLC0415 # slow to import

    return Figure(figsize=(width, height), dpi=120, layout="constrained", facecolor=hex_of(PAPER))


def write_figure(path: Path, figure: "Figure") -> None:
    """Write a figure as a PNG file, whole or not at all."""
    with replacing(path) as file:
        # The name of the software holds a version, which would change the file.
        figure.savefig(file, format="png", metadata={"Software": None})
