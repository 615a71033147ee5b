"""Tables, scores and progress as values; only console.py draws them."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Protocol

_OTHER = "everything else"


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

    def task(self, title: str, total: int) -> AbstractContextManager[Task]:
        """Open a task that shows nothing."""
        return nullcontext(SilentTask())


class Profiled:
    """A progress that also counts the seconds of each phase; a phase within another counts for itself alone."""

    def __init__(self, shown: Progress, clock: Callable[[], float] = time.perf_counter) -> None:
        """`shown` shows the progress; the first phase begins now."""
        self._shown, self._clock = shown, clock
        self._open, self._since = [_OTHER], clock()
        self._seconds: dict[str, float] = {}

    def say(self, message: str) -> None:
        """Show a line that stays on the screen."""
        self._shown.say(message)

    def warn(self, message: str) -> None:
        """Show a warning that stays on the screen."""
        self._shown.warn(message)

    def task(self, title: str, total: int) -> AbstractContextManager[Task]:
        """Open a task of `total` steps."""
        return self._shown.task(title, total)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count the seconds of the block for a phase."""
        self._count()
        self._open.append(name)
        try:
            yield
        finally:
            self._count()
            self._open.pop()

    def seconds(self) -> dict[str, float]:
        """The seconds of each phase so far, in the order in which they began; those of no phase last."""
        self._count()
        return {name: found for name, found in self._seconds.items() if name != _OTHER} | {
            _OTHER: self._seconds[_OTHER]
        }

    def _count(self) -> None:
        now = self._clock()
        self._seconds[self._open[-1]] = self._seconds.get(self._open[-1], 0.0) + now - self._since
        self._since = now


def phase(progress: Progress, name: str) -> AbstractContextManager[None]:
    """A phase of the work, if the progress counts them."""
    return progress.phase(name) if isinstance(progress, Profiled) else nullcontext()
