"""What commands say while they work and when they are done, as values: only console.py draws them."""

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


def score_text(value: float | None) -> str:
    """A score as tables and messages show it, with four decimals; an empty text where there is none."""
    return "" if value is None else f"{value:.4f}"


class Task(Protocol):
    """One piece of long work that knows how far it is."""

    def advance(self, steps: int = 1, status: str = "") -> None:
        """Say that `steps` more of the total are done; `status` is a few words or figures to show beside it."""


class Progress(Protocol):
    """What long work talks to; it never prints."""

    def say(self, message: str) -> None:
        """Show one line that stays."""

    def warn(self, message: str) -> None:
        """Show one line that stays and stands out."""

    def task(self, title: str, total: int) -> AbstractContextManager[Task]:
        """Open a task of `total` steps; tasks nest."""


class _SilentTask:
    def advance(self, steps: int = 1, status: str = "") -> None:
        """Drop it."""


class Silent:
    """A progress that shows nothing: for tests and for use from Python."""

    def say(self, message: str) -> None:
        """Drop it."""

    def warn(self, message: str) -> None:
        """Drop it."""

    @contextmanager
    def task(self, title: str, total: int) -> Iterator[Task]:
        """Open a task that shows nothing."""
        yield _SilentTask()
