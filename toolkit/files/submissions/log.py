"""submissions/log.csv: every submission that was made, with what it promised and what the leaderboard said."""

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Literal

from toolkit.errors import StorageError, SubmissionError, nearest
from toolkit.files.disk.locks import locked
from toolkit.files.disk.tables import format_table, numbered_rows
from toolkit.files.disk.writing import write_text

Board = Literal["public", "private"]
"""The two parts of a leaderboard."""

_WAIT_SECONDS = 10.0
_NUMBERS = ("oof", "nested", "public", "private")
_NEEDED = ("name",)


@dataclass(frozen=True)
class LoggedSubmission:
    """One row of the log; a score that is not known is None, a text that is not known is empty.

    `oof` is the score of the out-of-fold predictions under the recipe that was submitted, `nested` the honest one of
    a tuned recipe. `digest` is that of the file. `uploaded` is when, to which `competition`; times are UTC. `further`
    are columns that the user has added.
    """

    name: str
    time: str = ""
    experiment: str = ""
    metric: str = ""
    oof: float | None = None
    nested: float | None = None
    recipe: str = ""
    digest: str = ""
    uploaded: str = ""
    competition: str = ""
    public: float | None = None
    private: float | None = None
    further: Mapping[str, str] = field(default_factory=dict)

    @property
    def expected(self) -> float | None:
        """What cross-validation promises: nested where there is such a score, as it is the honest one."""
        return self.oof if self.nested is None else self.nested

    @property
    def is_worth_keeping(self) -> bool:
        """Whether it was uploaded or scored, so that it stays when another file takes its name."""
        return bool(self.uploaded) or self.public is not None or self.private is not None


_COLUMNS = tuple(one.name for one in fields(LoggedSubmission) if one.name != "further")


@dataclass(frozen=True)
class SubmissionLog:
    """The log in a file, which people may edit too.

    Rows are in the order in which submissions were made. The last row of a name is the file that has this name now;
    earlier ones are what had it before, kept if they were uploaded or scored.
    """

    path: Path

    def read(self) -> list[LoggedSubmission]:
        """All rows; none where there is no log yet.

        Raises:
            StorageError: the file is no such table, or a score is no number.
        """
        if not self.path.exists():
            return []
        try:
            text = self.path.read_text("utf-8-sig")
            rows = list(numbered_rows(text))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise StorageError(f"{self.path} cannot be read: {error}", "Mend it as CSV in UTF-8.") from error
        if not rows:
            return []
        (_, header), *rest = rows
        columns = tuple(name.strip() for name in header)
        self._refuse_columns(columns)
        return [self._entry(columns, line, cells) for line, cells in rest if any(cell.strip() for cell in cells)]

    def record(self, entry: LoggedSubmission) -> None:
        """Append a submission that was made.

        The same file made again keeps its upload and its scores. Another file of the same name takes the place of the
        row, unless that was uploaded or scored: then it stays as an earlier one.

        Raises:
            StorageError, LockedError: the log cannot be read, written or had.
        """
        with self._open() as rows:
            before = _last_of(rows, entry.name)
            if before is not None and rows[before].digest == entry.digest:
                old = rows.pop(before)
                kept = {name: getattr(old, name) for name in ("uploaded", "competition", *_BOARDS, "further")}
                entry = replace(entry, **kept)
            elif before is not None and not rows[before].is_worth_keeping:
                rows.pop(before)
            rows.append(entry)

    def mark_uploaded(self, name: str, competition: str, time: str) -> None:
        """Note that the last submission of a name was uploaded; raises as `set_score`."""
        self._change(name, uploaded=time, competition=competition)

    def set_score(self, name: str, board: Board, score: float) -> LoggedSubmission:
        """Note what the leaderboard said of the last submission of a name; returns the row as it was before.

        Raises:
            SubmissionError: there is none of this name.
            StorageError, LockedError: the log cannot be read, written or had.
        """
        return self._change(name, **{board: score})

    def _change(self, name: str, **values: str | float) -> LoggedSubmission:
        with self._open() as rows:
            index = _last_of(rows, name)
            if index is None:
                raise self._unknown(name, rows)
            before = rows[index]
            rows[index] = replace(before, **values)  # type: ignore[arg-type] # each value has the type of its column
        return before

    @contextmanager
    def _open(self) -> Iterator[list[LoggedSubmission]]:
        """The rows to change; they are written when the block ends well. Nobody else changes them meanwhile."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with locked(self.path.with_name(f".{self.path.stem}-lock"), wait=_WAIT_SECONDS):
            rows = self.read()
            yield rows
            self._write(rows)

    def _write(self, rows: Sequence[LoggedSubmission]) -> None:
        added = list(dict.fromkeys(name for row in rows for name in row.further))
        cells = [
            [*(getattr(row, name) for name in _COLUMNS), *(row.further.get(name, "") for name in added)] for row in rows
        ]
        write_text(self.path, format_table([*_COLUMNS, *added], cells))

    def _refuse_columns(self, columns: tuple[str, ...]) -> None:
        missing = [name for name in _NEEDED if name not in columns]
        twice = sorted({name for name in columns if columns.count(name) > 1})
        if missing:
            raise StorageError(
                f"{self.path}:1: there is no column {missing[0]}; received {', '.join(columns)}",
                f"Its columns are {', '.join(_COLUMNS)}, separated by commas; more may follow.",
            )
        if twice:
            raise StorageError(f"{self.path}:1: the column {twice[0]!r} stands twice", "Rename or remove one of them.")

    def _entry(self, columns: tuple[str, ...], line: int, cells: tuple[str, ...]) -> LoggedSubmission:
        if len(cells) != len(columns):
            raise StorageError(
                f"{self.path}:{line}: expected {len(columns)} cells, received {len(cells)}",
                "A text with a comma stands in double quotes; numbers have a decimal point: 0.871.",
            )
        texts = dict(zip(columns, (cell.strip() for cell in cells), strict=True))
        if not texts["name"]:
            raise StorageError(f"{self.path}:{line}: the name is empty", "Give it one, or remove the row.")
        numbers = {name: self._number(line, name, texts[name]) for name in _NUMBERS if name in texts}
        words = {name: texts[name] for name in _COLUMNS if name in texts and name not in _NUMBERS}
        further = {name: text for name, text in texts.items() if name not in _COLUMNS}
        return LoggedSubmission(**words, **numbers, further=further)  # type: ignore[arg-type] # as above

    def _number(self, line: int, column: str, text: str) -> float | None:
        if not text:
            return None
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise StorageError(
                f"{self.path}:{line}: {column} should be a number such as 0.871 or empty, received {text!r}",
                "Mend this cell.",
            )
        return number

    def _unknown(self, name: str, rows: Sequence[LoggedSubmission]) -> SubmissionError:
        known = list(dict.fromkeys(row.name for row in reversed(rows)))
        near = nearest(name, known)
        hint = f"Did you mean {near}? " if near else ""
        return SubmissionError(
            f"{self.path} has no submission {name!r}; those it has: {', '.join(known[:10]) or 'none'}",
            f"{hint}tk submit writes a submission and remembers it.",
        )


_BOARDS: tuple[Board, ...] = ("public", "private")


def submission_name(text: str) -> str:
    """The name that a submission has in the log, of its name or of the path of its file."""
    return Path(text).name.removesuffix(".csv")


def _last_of(rows: Sequence[LoggedSubmission], name: str) -> int | None:
    return next((index for index in reversed(range(len(rows))) if rows[index].name == name), None)
