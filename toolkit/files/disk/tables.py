"""CSV tables with all cells as text."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from toolkit.config.yaml.file_paths import regular
from toolkit.errors import MissingFileError, ToolkitError, listing

_LONGEST_CELL = 2**31 - 1
_START, _LINES = 1 << 16, 50
_SEPARATORS = (",", ";", "\t", "|")
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class TextTable:
    """A CSV file: its path, column names, and rows of text cells.

    Without a header, the first line of the file is a row and the names of the columns are made up.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    has_header: bool = True

    @property
    def first_line(self) -> int:
        """The line of the first row."""
        return 2 if self.has_header else 1


def read_table(
    path: Path, columns_count: int | None, key: str, error: type[ToolkitError], *, lines: int | None = None
) -> TextTable:
    """Read a CSV file; all cells (for example `NA` or `007`) stay text.

    The text is in UTF-8, with or without byte order mark, or in UTF-16 with one. Cells are separated by commas, or
    else by semicolons, tabs or vertical bars.

    Args:
        path: of the file.
        columns_count: the required number of columns; None for any number.
        key: the configuration key of the file, for messages.
        error: raised if the file is not such a table.
        lines: how many lines to read; None for all.

    Raises:
        MissingFileError: the file does not exist or cannot be read.
    """
    try:
        encoding, separator = _form_of(path)
        cells = pd.read_csv(
            regular(path),
            sep=separator,
            header=None,
            dtype=str,
            keep_default_na=False,
            encoding=encoding,
            compression=None,
            nrows=lines,
        )
    except FileNotFoundError as missing:
        raise MissingFileError(f"{key}: there is no file {path}") from missing
    except OSError as unreadable:
        raise MissingFileError(f"{key}: cannot read {path}: {unreadable.strerror}") from unreadable
    except UnicodeError as damaged:
        raise error(
            f"{key}: {path} is not a CSV table in UTF-8: {str(damaged).strip()}",
            f"Save it as UTF-8, for example: iconv -f latin1 -t utf-8 {path.name} > utf8.csv",
        ) from damaged
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as damaged:
        raise error(f"{key}: {path} is not a CSV table: {str(damaged).strip()}") from damaged
    header = tuple(str(name).strip() for name in cells.iloc[0])
    if columns_count is not None and len(header) != columns_count:
        raise error(f"{key}: {path}:1: expected {columns_count} columns, received {len(header)}: {listing(header, 20)}")
    return TextTable(path, header, tuple(cells.iloc[1:].itertuples(index=False, name=None)))


def _form_of(path: Path) -> tuple[str, str]:
    """Encoding and separator of a CSV file, from its first lines."""
    with regular(path).open("rb") as file:
        start = file.read(_START)
    encoding = "utf-16" if start.startswith(_UTF16_MARKS) else "utf-8-sig"
    lines = start.decode(encoding, errors="ignore").splitlines()
    shown = [line for line in (lines[:-1] if len(start) == _START and len(lines) > 1 else lines) if line.strip()]
    for separator in _SEPARATORS:
        counts = {len(cells) for cells in csv.reader(shown[:_LINES], delimiter=separator)}
        if len(counts) == 1 and counts != {1}:
            return encoding, separator
    return encoding, next((separator for separator in _SEPARATORS if shown and separator in shown[0]), ",")


def numbered_rows(text: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The rows of CSV text, each with the number of its last line; blank lines are skipped.

    Raises:
        csv.Error: a quote is not closed, or text follows a closing quote; the message has the line.
    """
    csv.field_size_limit(_LONGEST_CELL)  # for the whole process; its default is shorter than masks can be
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for cells in reader:
            if cells:
                yield reader.line_num, tuple(cells)
    except csv.Error as error:
        raise csv.Error(f"line {reader.line_num}: {error}") from error


def format_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """CSV text with plain newlines; floats are written in full precision."""
    return str(pd.DataFrame(list(rows), columns=list(columns)).to_csv(index=False, lineterminator="\n"))
