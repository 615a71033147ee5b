"""The index of all experiments: their scores, also over time, and links to their pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from toolkit.messages import score_text
from toolkit.report.colours import hex_of, line_colour
from toolkit.report.page.blocks import Block, Chart, Prose, Section, Series, TableBlock


@dataclass(frozen=True)
class IndexRow:
    """An experiment; `link` is the address of its page, empty without one, and `finished` seconds since 1970."""

    name: str
    link: str
    kind: str
    state: str
    metric: str
    oof: float | None
    tuned: float | None
    nested: float | None
    finished: float | None


def index_sections(rows: Sequence[IndexRow]) -> list[Section]:
    """The sections of the index; scores of different metrics have charts of their own."""
    if not rows:
        return [Section("experiments", "Experiments", [Prose("There is no experiment yet.")])]
    metrics = list(dict.fromkeys(row.metric for row in rows if row.metric and row.finished is not None))
    charts: list[Block] = [_over_time(metric, [row for row in rows if row.metric == metric]) for metric in metrics]
    newest = sorted(rows, key=lambda row: -(row.finished or 0.0))
    table = TableBlock(
        "All experiments, the last finished first",
        ("experiment", "kind", "state", "metric", "OOF", "tuned", "nested", "finished"),
        [
            (
                row.name,
                row.kind,
                row.state,
                row.metric,
                *(score_text(score, missing="") for score in (row.oof, row.tuned, row.nested)),
                _date(row.finished),
            )
            for row in newest
        ],
        links={row.name: row.link for row in rows if row.link},
    )
    found = [Section("experiments", "Experiments", [table])]
    return found + ([Section("scores", "Scores over time", charts)] if charts else [])


def _over_time(metric: str, rows: Sequence[IndexRow]) -> Chart:
    """Every score at the time when its experiment was finished, and the names beside them."""
    known = sorted((row for row in rows if row.finished is not None), key=lambda row: row.finished or 0.0)
    kinds = (("OOF, untuned", [row.oof for row in known]), ("nested", [row.nested for row in known]))
    series = [
        Series(name, values, hex_of(line_colour(number)), "points")
        for number, (name, values) in enumerate(kinds)
        if any(value is not None for value in values)
    ]
    return Chart(
        metric,
        "finished",
        [row.finished or 0.0 for row in known],
        series,
        is_time=True,
        names=[row.name for row in known],
    )


def _date(seconds: float | None) -> str:
    return "" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
