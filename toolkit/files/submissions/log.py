"""submissions/log.csv: every submission with its expected score and its leaderboard scores."""

import csv
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import Literal

from toolkit.config.yaml.file_paths import regular
from toolkit.errors import StorageError, SubmissionError, listing, nearest
from toolkit.files.disk.changes import make_folder
from toolkit.files.disk.locks import locked
from toolkit.files.disk.tables import format_table, numbered_rows
from toolkit.files.disk.writing import remove_unfinished, write_text

Board = Literal["public", "private"]
"""The two parts of a leaderboard."""

_WAIT_SECONDS = 60.0
_NUMBERS = ("oof", "nested", "public", "private")
_NEEDED = ("name",)
_SHOWN = 10


@dataclass(frozen=True)
class LoggedSubmission:
    """One row of the log; unknown scores are None, unknown texts are empty.

    Attributes:
        name: of the submission.
        time: when it was made (UTC).
        experiment: that it was made from.
        metric: of the scores.
        oof: the score of the out-of-fold predictions with the recipe of the submission.
        nested: the nested score of a tuned recipe.
        recipe: of the submission, in words.
        digest: of the file.
        uploaded: when it was uploaded (UTC).
        competition: that it was uploaded to.
        public: the public leaderboard score.
        private: the private leaderboard score.
        further: cells of columns that the user has added.
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
        """The score that cross-validation predicts: the nested score if there is one, otherwise `oof`."""
        return self.oof if self.nested is None else self.nested

    @property
    def is_worth_keeping(self) -> bool:
        """Whether the row was uploaded or scored, so that it is kept when another file takes its name."""
        return bool(self.uploaded) or self.public is not None or self.private is not None


_COLUMNS = tuple(one.name for one in fields(LoggedSubmission) if one.name != "further")


@dataclass(frozen=True)
class SubmissionLog:
    """The log file, which users may edit too.

    Rows are in the order in which submissions were made. The last row with a name belongs to the present file of that
    name; earlier rows, kept if they were uploaded or scored, belong to previous files of that name.
    """

    path: Path

    def read(self) -> list[LoggedSubmission]:
        """All rows; empty if there is no log yet.

        Raises:
            StorageError: the file is not such a table, or a score is not a number.
        """
        if not self.path.exists() and not self.path.is_symlink():
            return []
        try:
            text = regular(self.path).read_text("utf-8-sig")
            rows = list(numbered_rows(text))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise StorageError(f"{self.path} cannot be read: {error}", "It must be CSV text in UTF-8.") from error
        if not rows:
            return []
        (_, header), *rest = rows
        columns = tuple(name.strip() for name in header)
        self._refuse_columns(columns)
        return [self._entry(columns, line, cells) for line, cells in rest if any(cell.strip() for cell in cells)]

    @contextmanager
    def recording(self) -> Iterator[Callable[[LoggedSubmission], None]]:
        """Hold the lock of the log while a submission is written; gives the function that appends it.

        What killed runs have left in the folder is deleted first. If the same file was made again, its upload and
        scores are kept. The row of another file with the same name is replaced, unless that file was uploaded or
        scored.

        Raises:
            StorageError: the log cannot be read or written.
            LockedError: another process is writing the log.
        """
        with self._open() as rows:
            remove_unfinished(self.path.parent)
            yield partial(_append, rows)

    def mark_uploaded(self, name: str, competition: str, time: str) -> None:
        """Record the upload of the last submission with this name; raises as `set_score`."""
        self._change(name, uploaded=time, competition=competition)

    def set_score(self, name: str, board: Board, score: float) -> LoggedSubmission:
        """Record a leaderboard score of the last submission with this name; returns the row as it was before.

        Raises:
            SubmissionError: there is no submission with this name.
            StorageError: the log cannot be read or written.
            LockedError: another process is writing the log.
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
        """The rows, locked, for changing; they are written when the block succeeds."""
        make_folder(self.path.parent)
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
                f"{self.path}:1: missing column {missing[0]}; received {listing(columns, _SHOWN_COLUMNS)}",
                f"Its columns are {', '.join(_COLUMNS)}, separated by commas; further columns are allowed.",
            )
        if twice:
            raise StorageError(f"{self.path}:1: the column {twice[0]!r} occurs twice", "Rename or remove one of them.")

    def _entry(self, columns: tuple[str, ...], line: int, cells: tuple[str, ...]) -> LoggedSubmission:
        if len(cells) != len(columns):
            raise StorageError(
                f"{self.path}:{line}: expected {len(columns)} cells, received {len(cells)}",
                "Put text with a comma in double quotes, and write numbers with a decimal point: 0.871.",
            )
        texts = dict(zip(columns, (cell.strip() for cell in cells), strict=True))
        if not texts["name"]:
            raise StorageError(f"{self.path}:{line}: the name is empty", "Add a name, or remove the row.")
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
                f"{self.path}:{line}: {column} is {text!r}; expected a number (for example 0.871) or an empty cell",
                "Correct this cell.",
            )
        return number

    def _unknown(self, name: str, rows: Sequence[LoggedSubmission]) -> SubmissionError:
        known = list(dict.fromkeys(row.name for row in reversed(rows)))
        near = nearest(name, known)
        hint = f"Did you mean {near}? " if near else ""
        return SubmissionError(
            f"{self.path} has no submission {name!r}; its submissions are: {listing(known, _SHOWN) or 'none'}",
            f"{hint}tk submit writes a submission and adds it to the log.",
        )


_SHOWN_COLUMNS = 20
_BOARDS: tuple[Board, ...] = ("public", "private")


def submission_name(text: str) -> str:
    """The name of a submission in the log, from its name or the path of its file."""
    return Path(text).name.removesuffix(".csv")


def _append(rows: list[LoggedSubmission], entry: LoggedSubmission) -> None:
    before = _last_of(rows, entry.name)
    if before is not None and rows[before].digest == entry.digest:
        old = rows.pop(before)
        kept = {name: getattr(old, name) for name in ("uploaded", "competition", *_BOARDS, "further")}
        entry = replace(entry, **kept)
    elif before is not None and not rows[before].is_worth_keeping:
        rows.pop(before)
    rows.append(entry)


def _last_of(rows: Sequence[LoggedSubmission], name: str) -> int | None:
    return next((index for index in reversed(range(len(rows))) if rows[index].name == name), None)
