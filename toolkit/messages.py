"""Tables, scores and progress as values; only console.py draws them."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Table:
    """A result for the screen: a title, column headings and rows of cells that are shown as they are."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __str__(self) -> str:
        """The table as plain text, its columns aligned."""
        rows = [self.columns, *self.rows] if any(self.columns) else self.rows
        widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        return "\n".join([self.title, *lines])


def score_text(value: float | None, *, signed: bool = False, missing: str = "–") -> str:
    """A score as tables and messages show it, with four decimals and, if `signed`, always with its sign.

    `missing` stands for a score that does not exist, for example because the metric skipped every image.
    """
    return missing if value is None else f"{value:{'+' if signed else ''}.4f}"


def interval_text(low: float | None, high: float | None) -> str:
    """The bounds of an interval as tables and messages show them."""
    return "–" if low is None or high is None else f"{score_text(low)} – {score_text(high)}"


def duration_text(seconds: float) -> str:
    """A duration as tables and messages show it: `1 h 05 min`, `3 min 07 s` or `42 s`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


class Task(Protocol):
    """Long work of a known number of steps."""

    def advance(self, steps: int = 1, status: str = "") -> None:
        """Count `steps` more of the total as done; `status` is a short text that is shown beside them."""


class Progress(Protocol):
    """The messages and tasks of long work, which itself never prints."""

    def say(self, message: str) -> None:
        """Show a line that stays on the screen."""

    def warn(self, message: str) -> None:
        """Show a warning that stays on the screen."""

    def task(self, title: str, total: int) -> AbstractContextManager[Task]:
        """Open a task of `total` steps; tasks nest."""


class SilentTask:
    """A task that shows nothing."""

    def advance(self, steps: int = 1, status: str = "") -> None:
        """Show nothing."""


class Silent:
    """A progress that shows nothing."""

    def say(self, message: str) -> None:
        """Show nothing."""

    def warn(self, message: str) -> None:
        """Show nothing."""

    @contextmanager
    def task(self, title: str, total: int) -> Iterator[Task]:
        """Open a task that shows nothing."""
        yield SilentTask()
