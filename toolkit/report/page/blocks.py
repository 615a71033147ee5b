"""What sections of the page are made of. The template draws each kind of block in one way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

Level = Literal["error", "warning", "note"]
"""How serious a doubt is: something is wrong, something may be wrong, or something is worth knowing."""


@dataclass(frozen=True)
class Prose:
    """A paragraph."""

    kind: ClassVar[str] = "prose"
    text: str
    is_quiet: bool = False


@dataclass(frozen=True)
class Figure:
    """A number with its name and what it means; `is_main` is the one to read first."""

    label: str
    value: str
    note: str = ""
    is_main: bool = False


@dataclass(frozen=True)
class Figures:
    """Numbers beside each other."""

    kind: ClassVar[str] = "figures"
    figures: Sequence[Figure]


@dataclass(frozen=True)
class Notice:
    """A doubt or a finding, and where it comes from; `ids` are those of images that it concerns, shown on demand."""

    level: Level
    text: str
    source: str = ""
    ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Notices:
    """Doubts and findings, the most serious first."""

    kind: ClassVar[str] = "notices"
    title: str
    notices: Sequence[Notice]
    nothing: str = ""


@dataclass(frozen=True)
class TableBlock:
    """A table. The first column names the rows; columns whose cells are all numbers are aligned at the right.

    `marked` are the numbers of rows that are emphasised; `links` are the addresses of rows by their name. `note` stands
    below.
    """

    kind: ClassVar[str] = "table"
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    marked: frozenset[int] = frozenset()
    links: Mapping[str, str] = field(default_factory=dict)

    @property
    def numeric(self) -> frozenset[int]:
        """The numbers of the columns that hold only numbers."""
        return frozenset(
            place
            for place in range(1, len(self.columns))
            if all(_is_number(row[place]) for row in self.rows) and any(row[place] for row in self.rows)
        )


@dataclass(frozen=True)
class HeatTable:
    """A table whose cells are shaded by their share, 0–1; None for a cell without a value.

    `texts` are the cells as they are read. A title names the rows and the columns.
    """

    kind: ClassVar[str] = "heat"
    title: str
    rows: Sequence[str]
    columns: Sequence[str]
    shares: Sequence[Sequence[float | None]]
    texts: Sequence[Sequence[str]]
    corner: str = ""
    note: str = ""


@dataclass(frozen=True)
class Series:
    """One line of a chart: its name, its values at the places of the chart, and its colour `#rrggbb`.

    `style` is `line`, `dashed`, `dotted` or `points`.
    """

    name: str
    values: Sequence[float | None]
    colour: str
    style: Literal["line", "dashed", "dotted", "points"] = "line"


@dataclass(frozen=True)
class Chart:
    """A chart with lines over a common axis.

    `marks` are places on that axis with a label, drawn as vertical lines. With `is_time` the axis has seconds since
    1970, with `is_whole` whole numbers; with `logarithmic` the values are on a logarithmic axis; `limits` fix the range
    of the values, and `names` are shown for the place below the pointer.
    """

    kind: ClassVar[str] = "chart"
    title: str
    across: str
    places: Sequence[float]
    series: Sequence[Series]
    marks: Sequence[tuple[float, str]] = ()
    note: str = ""
    is_time: bool = False
    is_whole: bool = False
    logarithmic: bool = False
    names: Sequence[str] = ()
    limits: tuple[float, float] | None = None

    def data(self) -> dict[str, Any]:
        """What the script draws."""
        return {
            "across": self.across,
            "places": list(self.places),
            "series": [
                {"name": one.name, "values": list(one.values), "colour": one.colour, "style": one.style}
                for one in self.series
            ],
            "marks": [list(mark) for mark in self.marks],
            "isTime": self.is_time,
            "isWhole": self.is_whole,
            "logarithmic": self.logarithmic,
            "names": list(self.names),
            "limits": self.limits,
        }


@dataclass(frozen=True)
class Bars:
    """Counts as horizontal bars: names and numbers."""

    kind: ClassVar[str] = "bars"
    title: str
    bars: Sequence[tuple[str, float, str]]
    note: str = ""

    @property
    def largest(self) -> float:
        """The number of the longest bar."""
        return max((value for _, value, _ in self.bars), default=0) or 1


@dataclass(frozen=True)
class ParallelLine:
    """A line across all axes: its name, its place 0–1 on each axis, and its colour `#rrggbb`."""

    name: str
    places: Sequence[float]
    colour: str
    is_main: bool = False


@dataclass(frozen=True)
class Parallel:
    """Parallel coordinates: axes with a name and labels at places 0–1 from below, and lines across them."""

    kind: ClassVar[str] = "parallel"
    title: str
    axes: Sequence[tuple[str, Sequence[tuple[float, str]]]]
    lines: Sequence[ParallelLine]
    note: str = ""

    @property
    def width(self) -> int:
        """Of the drawing, in its own units."""
        return 180 * len(self.axes)

    def across(self, axis: int) -> int:
        """Where an axis stands."""
        return 90 + 180 * axis

    def down(self, place: float) -> float:
        """How far below the top a place is."""
        return round(240 - 190 * place, 1)

    def points(self, line: ParallelLine) -> str:
        """The corners of a line, as SVG writes them."""
        return " ".join(f"{self.across(axis)},{self.down(place)}" for axis, place in enumerate(line.places))


@dataclass(frozen=True)
class Interval:
    """A named difference with the ends of its interval and a verdict in words."""

    name: str
    value: float
    low: float
    high: float
    text: str
    verdict: str


@dataclass(frozen=True)
class Intervals:
    """Differences with their intervals around zero."""

    kind: ClassVar[str] = "intervals"
    title: str
    intervals: Sequence[Interval]
    note: str = ""

    @property
    def reach(self) -> float:
        """The largest distance from zero of any end."""
        ends = [abs(end) for one in self.intervals for end in (one.low, one.high, one.value)]
        return max(ends, default=0) or 1


@dataclass(frozen=True)
class Picture:
    """A picture as a data address, with a text for those who cannot see it."""

    kind: ClassVar[str] = "picture"
    title: str
    address: str
    description: str
    width: int
    height: int


@dataclass(frozen=True)
class Code:
    """Text that is copied: commands, a configuration."""

    kind: ClassVar[str] = "code"
    title: str
    text: str


@dataclass(frozen=True)
class Facts:
    """Names and values."""

    kind: ClassVar[str] = "facts"
    title: str
    facts: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Live:
    """A part of the page that a script brings to life: `template` draws it, `data` is what the script reads."""

    kind: ClassVar[str] = "live"
    template: str
    values: Mapping[str, Any]
    data: Mapping[str, Any]
    name: str


Block = (
    Prose
    | Figures
    | Notices
    | TableBlock
    | HeatTable
    | Chart
    | Bars
    | Parallel
    | Intervals
    | Picture
    | Code
    | Facts
    | Live
)


@dataclass(frozen=True)
class Beside:
    """Two blocks beside each other where there is room."""

    kind: ClassVar[str] = "beside"
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Folded:
    """Blocks that are shown on demand."""

    kind: ClassVar[str] = "folded"
    title: str
    blocks: Sequence[Block | Beside]


@dataclass(frozen=True)
class Section:
    """A part of the page with a heading, an entry in the table of contents, and a sentence that says what it shows.

    `words` are those that it needs, keys of `WORDS` and labels of metrics; the first section that needs one explains
    it.
    """

    name: str
    title: str
    blocks: Sequence[Block | Beside | Folded]
    lead: str = ""
    words: Sequence[str] = ()


def _is_number(text: str) -> bool:
    return not text.strip("+-−–%.,0123456789 ±")
