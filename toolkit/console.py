"""The screen: tables, progress and errors. Results go to stdout, messages go to stderr."""

import dataclasses
import errno
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module
from typing import Any, Literal, Protocol

from rich.cells import cell_len, chop_cells
from rich.console import Console
from rich.containers import Lines
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table as RichTable
from rich.text import Text

from toolkit.errors import OutOfTimeError, ToolkitError
from toolkit.messages import Progress, Silent, Table, Task, duration_text

_SECONDS_BETWEEN_LINES = 20.0
_SECONDS_BETWEEN_DRAWINGS = 0.5


class _Screen(Console):
    """A console whose reader may go away, as that of `tk ls | head` does: the command then ends without a message."""

    def on_broken_pipe(self) -> None:
        """Raise what plain output raises, and not SystemExit, which may come from a user's own code too."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


class Result(Protocol):
    """What a command returns: a dataclass with its tables and the next steps."""

    def tables(self) -> list[Table]:
        """Tables for the screen."""

    def next_steps(self) -> list[str]:
        """Lines below the tables; the last one is the next command to type."""


def show_result(result: Result, as_json: bool) -> None:
    """Print the result: tables for people, or JSON for programs."""
    if as_json:
        show_json(dataclasses.asdict(result))  # type: ignore[call-overload] # results are dataclasses
        return
    out = _Screen(highlight=False)
    for table in result.tables():
        out.print(Text(table.title, style="bold"), soft_wrap=True)
        out.print(_drawn(table))
    for line in result.next_steps():
        out.print(Text(line), soft_wrap=True)


def show_markdown(result: Result) -> None:
    """Print the tables of a result in Markdown, the lines below them as a list."""
    for table in result.tables():
        sys.stdout.write(f"### {_in_markdown(table.title)}\n\n")
        rows = [table.columns, ["---"] * len(table.columns), *table.rows]
        sys.stdout.writelines(f"| {' | '.join(map(_in_markdown, row))} |\n" for row in rows)
        sys.stdout.write("\n")
    sys.stdout.writelines(f"- {_in_markdown(line)}\n" for line in result.next_steps())


def _in_markdown(text: str) -> str:
    return "".join(f"\\{letter}" if letter in "|*_`[]<\\" else letter for letter in text).replace("\n", " ")


def show_json(tree: Any) -> None:
    """Print JSON on stdout."""
    sys.stdout.write(json.dumps(tree, indent=2, ensure_ascii=False, default=str) + "\n")


def show_text(text: str) -> None:
    """Print text on stdout as it is."""
    sys.stdout.write(text)


def show_error(error: ToolkitError) -> None:
    """Print the message of an error and its advice on stderr; a stop that was asked for is not called an error."""
    console = _Screen(stderr=True, highlight=False)
    asked_for = isinstance(error, OutOfTimeError)
    heading = ("stopped: ", "bold") if asked_for else ("error: ", "bold red")
    console.print(Text.assemble(heading, error.message), soft_wrap=True)
    if error.advice:
        console.print(Text(error.advice), soft_wrap=True)


def show_interrupted() -> None:
    """Tell the user that finished work is kept."""
    _Screen(stderr=True, highlight=False).print(
        "interrupted; finished work is kept, and the same command without --restart resumes from there",
        soft_wrap=True,
    )


def asking_about_tasks(progress: Progress) -> Callable[[str, bool], Literal["stop", "leave", "go on"]]:
    """A function that asks what becomes of tasks on a cluster after Ctrl-C; `progress` is what shows them.

    It is given a text that describes the tasks, and whether they can go on without this process. Where nobody can
    answer, they are stopped.
    """

    def ask(tasks: str, survives: bool) -> Literal["stop", "leave", "go on"]:
        console = _Screen(stderr=True, highlight=False)
        if not (console.is_terminal and sys.stdin.isatty()):
            return "stop"
        answers: dict[str, Literal["stop", "leave", "go on"]] = {"s": "stop", "g": "go on"}
        leave = ""
        if survives:
            answers["l"], leave = "leave", ", [l]eave them running on the cluster,"
        with progress.paused() if isinstance(progress, _Terminal) else nullcontext():
            console.print(Text(tasks), soft_wrap=True)
            try:
                found = console.input(f"[s]top them{leave} or [g]o on watching? ", markup=False)
            except (KeyboardInterrupt, EOFError):
                return "stop"
        return answers.get(found.strip().lower()[:1], "go on")

    return ask


def progress_if_watched() -> Progress:
    """Progress in a terminal or a notebook while tasks run; a progress that shows nothing elsewhere."""
    is_watched = Console(stderr=True).is_terminal or _in_notebook()
    return _WhileTasksRun() if is_watched else Silent()


@contextmanager
def progress_on_screen() -> Iterator[Progress]:
    """Show progress: bars with the time left on a terminal, a text in a notebook, plain lines on stderr elsewhere."""
    console = _Screen(stderr=True, highlight=False)
    if not console.is_terminal:
        yield _Notebook() if _in_notebook() else _Lines()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[status]}"),
    )
    with Bars(*columns, console=console, transient=True) as bars:
        yield _Terminal(bars)


def _in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return getattr(shell, "kernel", None) is not None


def _drawn(table: Table) -> RichTable:
    drawn = RichTable(show_header=any(table.columns))
    for number, column in enumerate(table.columns):
        numeric = number > 0 and all(_is_number(row[number]) for row in table.rows)
        drawn.add_column(Text(column), justify="right" if numeric else "left", overflow="fold")
    for row in table.rows:
        drawn.add_row(*map(_Cell, row))
    return drawn


class _Cell(Text):
    """Text whose long words (dotted keys, paths, names) are broken after a dot, a slash or the like, if they must."""

    def wrap(self, console: Console, width: int, **options: Any) -> Lines:
        """The lines of the text in a column of this width."""
        if all(cell_len(word) <= width for word in self.plain.split()):
            return super().wrap(console, width, **options)
        lines = (Text(line) for paragraph in self.plain.split("\n") for line in _broken(paragraph, width))
        return Lines(lines)


_PIECES = re.compile(r"[^\s./:,=+-]*[./:,=+-]*\s*")
"""What stays on one line: letters with the signs and spaces after them."""


def _broken(text: str, width: int) -> list[str]:
    """The lines of one paragraph; only a piece that is wider than a line is broken inside."""
    lines = [""]
    for piece in filter(None, _PIECES.findall(text)):
        if lines[-1] and cell_len(lines[-1] + piece.rstrip()) > width:
            lines.append("")
        whole = chop_cells(piece, width) if cell_len(piece.rstrip()) > width else [piece]
        lines[-1:] = [lines[-1] + whole[0], *whole[1:]]
    return [line.rstrip() for line in lines]


def _is_number(cell: str) -> bool:
    return cell in ("", "–") or cell.rstrip("%").replace(",", "").replace(".", "", 1).lstrip("+-<").isdigit()


class _Terminal:
    def __init__(self, bars: Bars) -> None:
        self._bars = bars

    def say(self, message: str) -> None:
        self._bars.console.print(Text(message))

    def warn(self, message: str) -> None:
        self._bars.console.print(Text.assemble(("warning: ", "bold yellow"), message))

    @contextmanager
    def task(self, title: str, total: int) -> Iterator[Task]:
        number = self._bars.add_task(title, total=total, status="")
        try:
            yield _Bar(self._bars, number)
        finally:
            self._bars.remove_task(number)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the screen to others while the block runs: bars that are drawn again and again erase a question."""
        self._bars.stop()
        try:
            yield
        finally:
            self._bars.start()


class _Bar:
    def __init__(self, bars: Bars, number: Any) -> None:
        self._bars, self._number = bars, number

    def advance(self, steps: int = 1, status: str = "") -> None:
        self._bars.update(self._number, advance=steps)
        if status:
            self._bars.update(self._number, status=status)


class _Lines:
    def say(self, message: str) -> None:
        sys.stderr.write(message + "\n")
        sys.stderr.flush()

    def warn(self, message: str) -> None:
        self.say(f"warning: {message}")

    @contextmanager
    def task(self, title: str, total: int) -> Iterator[Task]:
        yield _LinesTask(self, title, total)


class _LinesTask:
    """Reports progress every 20 seconds, so that short work prints nothing."""

    def __init__(self, lines: _Lines, title: str, total: int) -> None:
        self._lines = lines
        self._said = time.monotonic()
        self._count = _Count(title, total)

    def advance(self, steps: int = 1, status: str = "") -> None:
        now = time.monotonic()
        self._count.add(steps, status, now)
        if now - self._said < _SECONDS_BETWEEN_LINES or not self._count.done:
            return
        self._said = now
        self._lines.say(self._count.text(now))


class _Notebook(_Lines):
    """Shows the open tasks as one text below the cell, replaced every half second; short work shows nothing."""

    def __init__(self) -> None:
        self._tasks: list[_Count] = []
        self._shown: Any = None
        self._drawn = time.monotonic()

    @contextmanager
    def task(self, title: str, total: int) -> Iterator[Task]:
        count = _Count(title, total)
        self._tasks.append(count)
        try:
            yield _NotebookTask(self, count)
        finally:
            if self._shown is not None:
                self._draw(time.monotonic())
            self._tasks.remove(count)

    def advanced(self) -> None:
        """Show the tasks as they are now, unless that was done just before."""
        now = time.monotonic()
        if now - self._drawn >= _SECONDS_BETWEEN_DRAWINGS:
            self._draw(now)

    def _draw(self, now: float) -> None:
        self._drawn = now
        content = {"text/plain": "\n".join(count.text(now) for count in self._tasks)}
        if self._shown is None:
            display = import_module("IPython.display").display  # a notebook has it; it is not a dependency
            self._shown = display(content, raw=True, display_id=True)
        else:
            self._shown.update(content, raw=True)


class _NotebookTask:
    def __init__(self, notebook: _Notebook, count: "_Count") -> None:
        self._notebook, self._count = notebook, count

    def advance(self, steps: int = 1, status: str = "") -> None:
        self._count.add(steps, status, time.monotonic())
        self._notebook.advanced()


class _Count:
    """How much of a task is done, and how long the rest will take."""

    def __init__(self, title: str, total: int) -> None:
        self._title, self._total = title, total
        self._status = ""
        self._begun: tuple[float, int] | None = None
        self.done = 0

    def add(self, steps: int, status: str, now: float) -> None:
        """Count further steps as done."""
        self.done += steps
        if self._begun is None and steps:
            self._begun = now, self.done
        self._status = status or self._status

    def text(self, now: float) -> str:
        """Title, steps, time left and status in one line.

        The first steps are not typical, because they prepare the others or were done by an earlier run: the time left
        follows from those after them.
        """
        rest, left = self._total - self.done, ""
        if self._begun is not None and self.done > self._begun[1] and rest:
            since, first = self._begun
            left = f" · {duration_text((now - since) / (self.done - first) * rest)} left"
        ending = f" · {self._status}" if self._status else ""
        return f"{self._title}: {self.done}/{self._total}{left}{ending}"


class _WhileTasksRun:
    """Takes the screen while a task runs, and leaves it to others between tasks."""

    def __init__(self) -> None:
        self._now: Progress = _Lines()
        self._is_open = False

    def say(self, message: str) -> None:
        self._now.say(message)

    def warn(self, message: str) -> None:
        self._now.warn(message)

    @contextmanager
    def task(self, title: str, total: int) -> Iterator[Task]:
        if self._is_open:
            with self._now.task(title, total) as task:
                yield task
            return
        with progress_on_screen() as progress, progress.task(title, total) as task:
            self._now, self._is_open = progress, True
            try:
                yield task
            finally:
                self._now, self._is_open = _Lines(), False
