"""The progress of a unit, kept for those who ask, and as lines of a log."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from toolkit.messages import Task

_LINES = 10_000


@dataclass(frozen=True)
class Line:
    """A line of the log that is also for the screen; a warning or a message."""

    text: str
    is_warning: bool = False


class WorkerProgress:
    """Counts the steps of the unit: those of the outermost task that has as many.

    One thread works, others may ask.
    """

    def __init__(self, total: int, log: list[str], advancing: Callable[[], None], whole: Callable[[], None]) -> None:
        """Begin with nothing done.

        Args:
            total: the number of steps of the unit.
            log: new lines are added to it.
            advancing: is called each time that any task advances.
            whole: is called each time that steps of the unit are done: the folder is whole then.
        """
        self.done, self.total, self.doing, self.skipped = 0, total, "", 0
        self.began: float | None = None
        self._log, self._advancing, self._whole = log, advancing, whole
        self._open: list[str] = []
        self._lines: deque[Line] = deque(maxlen=_LINES)

    def say(self, message: str) -> None:
        """Keep a line."""
        self._keep(Line(message))

    def warn(self, message: str) -> None:
        """Keep a warning."""
        self._keep(Line(message, True))

    @contextmanager
    def task(self, title: str, total: int) -> Iterator[Task]:
        """Open a task; one inside another only says what is being done."""
        self._open.append(title)
        try:
            yield _Counted(self, len(self._open) == 1, title, total)
        finally:
            self._open.pop()

    def new_lines(self) -> list[Line]:
        """The lines since the last call."""
        found = []
        while self._lines:
            found.append(self._lines.popleft())
        return found

    def advanced(self, text: str, counts: int) -> None:
        """Note that a task advanced, by so many steps that count; `text` says what is being done."""
        self.doing = text
        self._advancing()
        if not counts:
            return
        self.done = min(self.total, self.done + counts)
        if self.began is None:  # the first steps may have been done by an earlier attempt
            self.began, self.skipped = time.time(), self.done
        self._whole()

    def _keep(self, line: Line) -> None:
        self._lines.append(line)
        warning = "warning: " if line.is_warning else ""
        self._log.append(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {warning}{line.text}")


class _Counted:
    def __init__(self, progress: WorkerProgress, is_outermost: bool, title: str, total: int) -> None:
        self._progress, self._is_outermost, self._title, self._total = progress, is_outermost, title, total
        self._done = 0

    def advance(self, steps: int = 1, status: str = "") -> None:
        self._done += steps
        ending = f" · {status}" if status else ""
        counts = steps if self._is_outermost and self._total == self._progress.total else 0
        text = f"{self._title}: {self._done}/{self._total}{ending}"
        self._progress.advanced(text, counts)
