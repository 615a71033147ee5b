"""What all results of commands share: they show themselves as text, and as HTML in notebooks."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

from toolkit.messages import Table
from toolkit.report.html import as_html


class Result(ABC):
    """What a command returns: a dataclass with its tables and the next steps."""

    @abstractmethod
    def tables(self) -> list[Table]:
        """Tables for people."""

    @abstractmethod
    def next_steps(self) -> list[str]:
        """Lines below the tables; the last one is the next command to type."""

    def __str__(self) -> str:
        """The tables and the lines below them as text."""
        return "\n".join([*map(str, self.tables()), *self.next_steps()])

    def _repr_html_(self) -> str:
        """The same as HTML, with the pictures that the result names."""
        return as_html(self.tables(), self.next_steps(), _pictures(self))


def in_python(folder: str) -> str:
    """How a next step begins for an experiment whose dataset was given in Python, where commands of `tk` lack it."""
    return f"Experiment({folder!r}, dataset)"


def page_line(page: str) -> list[str]:
    """The line that names the page of an experiment; none without a page."""
    return [f"page: {page}"] if page else []


def _pictures(result: Result) -> Iterator[Path]:
    """The existing pictures among the values of a result."""
    for value in vars(result).values():
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and text.endswith(".png") and Path(text).is_file():
                yield Path(text)
