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


@dataclass(frozen=True)
class TextTable:
    """A CSV file: its path, column names, and rows of text cells."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def read_table(path: Path, columns_count: int | None, key: str, error: type[ToolkitError]) -> TextTable:
    """Read a CSV file in UTF-8, with or without byte order mark; all cells (for example `NA` or `007`) stay text.

    Args:
        path: of the file.
        columns_count: the required number of columns; None for any number.
        key: the configuration key of the file, for messages.
        error: raised if the file is not such a table.

    Raises:
        MissingFileError: the file does not exist or cannot be read.
    """
    try:
        cells = pd.read_csv(
            regular(path), header=None, dtype=str, keep_default_na=False, encoding="utf-8-sig", compression=None
        )
    except FileNotFoundError as missing:
        raise MissingFileError(f"{key}: there is no file {path}") from missing
    except OSError as unreadable:
        raise MissingFileError(f"{key}: cannot read {path}: {unreadable.strerror}") from unreadable
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as damaged:
        raise error(f"{key}: {path} is not a CSV table: {str(damaged).strip()}") from damaged
    header = tuple(str(name).strip() for name in cells.iloc[0])
    if columns_count is not None and len(header) != columns_count:
        raise error(f"{key}: {path}:1: expected {columns_count} columns, received {len(header)}: {listing(header, 20)}")
    return TextTable(path, header, tuple(cells.iloc[1:].itertuples(index=False, name=None)))


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
