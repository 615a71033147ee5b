"""CSV tables with all cells as text."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from toolkit.config.yaml.file_paths import regular
from toolkit.errors import MissingFileError, ToolkitError, counted, listing

_LONGEST_CELL = 2**31 - 1
_START, _LINES = 1 << 16, 50
_SEPARATORS = (",", ";", "\t", "|")
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_TITLE_LINES = 10
_NO_VALUE = re.compile(
    r"(\w+[_ ])?ids?|(image|img|file)_?(id|name|path)s?|(\w+[_ ])?rles?|rle[_ ]\w+|encoded_?pixels", re.I
)
_NAME_OF_COLUMN = re.compile(rf"{_NO_VALUE.pattern}|(\w+[_ ])?(image|img|file|mask|path|pixel|annotation)s?", re.I)
_NO_NAME = re.compile(r"[\d\s.,;|\t-]*|.*[;|\t,].*|.*\.[a-z]\w{1,3}", re.I)


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
        encoding, separator, start = _form_of(path)
        _refuse_titles(path, start, separator, key, error)
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


def _form_of(path: Path) -> tuple[str, str, list[str]]:
    """Encoding and separator of a CSV file, from its first lines; and these lines."""
    with regular(path).open("rb") as file:
        start = file.read(_START)
    encoding = "utf-16" if start.startswith(_UTF16_MARKS) else "utf-8-sig"
    lines = start.decode(encoding, errors="ignore").splitlines()
    shown = [line for line in (lines[:-1] if len(start) == _START and len(lines) > 1 else lines) if line.strip()]
    for separator in _SEPARATORS:
        counts = {len(cells) for cells in csv.reader(shown[:_LINES], delimiter=separator)}
        if len(counts) == 1 and counts != {1}:
            return encoding, separator, lines[:_LINES]
    separator = next((separator for separator in _SEPARATORS if shown and separator in shown[0]), "")
    return encoding, separator or ",", lines[:_LINES]


def _refuse_titles(path: Path, lines: Sequence[str], separator: str, key: str, error: type[ToolkitError]) -> None:
    """Refuse a title or comment above the names of the columns: it would be read as these names."""
    filled = [number for number, line in enumerate(lines, start=1) if line.strip()][: _TITLE_LINES + 1]
    looked_at = [lines[number - 1] for number in filled]
    for mark in dict.fromkeys((separator, *_SEPARATORS)):
        cells = [[cell.strip() for cell in row] for row in csv.reader(looked_at, delimiter=mark)]
        if len(cells) != len(filled):  # a cell with a line break
            return
        for place in range(1, len(cells)):
            if all(_is_title(one, cells[place], mark == separator) for one in cells[:place]):
                above, header = filled[place] - 1, listing(cells[place], 20)
                raise error(
                    f"{key}: {path}:1: {counted(above, 'line stands', 'lines stand')} above the names of the columns "
                    f"({header}, line {above + 1}): {looked_at[0].strip()[:60]}",
                    f"Remove {'line 1' if above == 1 else f'the lines 1 to {above}'} of {path}, so that it begins with "
                    "the names of the columns.",
                )


def _is_title(cells: Sequence[str], names: Sequence[str], is_separated: bool) -> bool:
    """Whether a line is a title or comment, if the cells of a later line are names of columns.

    Where cells are surely separated as these are, a line of a single cell is one above any names. Otherwise, and for a
    line of several cells, such as a title that a spreadsheet padded with separators, one of the names must be like id
    or mask: the line may itself be the header or a row. If it has as many cells, the name must be one that no row has.
    """
    if len(names) < 2 or len(set(names)) < len(names):
        return False
    if any(_NO_NAME.fullmatch(name) or not name.isprintable() for name in names):
        return False
    if len(cells) == 1 and is_separated:
        return True
    filled = [cell for cell in cells if cell]
    return (
        bool(cells[0])
        and (len(filled) < len(names) or cells[0].startswith("#") or any(map(_NO_VALUE.fullmatch, names)))
        and any(map(_NAME_OF_COLUMN.fullmatch, names))
        and not any(_NAME_OF_COLUMN.fullmatch(cell.lstrip("# ")) for cell in filled)
    )


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
