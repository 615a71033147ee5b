"""Cells of tables of labels as people's programs write them: spaces, brackets, floats, words for an empty mask."""

import re
from collections.abc import Collection, Sequence
from dataclasses import replace

from toolkit.files.disk.tables import TextTable
from toolkit.files.images.decoding import image_id_of

EMPTY_WORDS = frozenset((
    "", "-1", "-", "nan", "none", "null", "na", "n/a", "<na>", "nat", "empty", "[]", "()", "{}", "0", "0 0", "1 0",
))  # fmt: skip
"""Texts that no program writes for a mask with pixels, in lower case."""

_PLAIN = re.compile(r"\d+( \d+)*")
_RUNS = re.compile(r"\d+ \d+( \d+ \d+)*")
_LOOSE = re.compile(r"[\[(\s]*\d+(\.0*)?([\s,;()\[\]]+\d+(\.0*)?)*[\])\s,;]*")
_NUMBER = re.compile(r"(\d+)(?:\.0*)?")


def loose_runs(cell: str) -> str:
    """A cell with its numbers separated by single spaces; other cells only lose the spaces around them.

    Several spaces, commas, brackets and `.0` are what spreadsheets, NumPy, lists of Python and pandas add to runs.
    """
    text = cell.strip()
    if _PLAIN.fullmatch(text) or not _LOOSE.fullmatch(text):
        return text
    return " ".join(_NUMBER.findall(text))


def are_runs(text: str) -> bool:
    """Whether a text is pairs of numbers, separated by single spaces."""
    return _RUNS.fullmatch(text) is not None


def is_empty_word(text: str) -> bool:
    """Whether a text can only mean an empty mask, in any table."""
    return text.strip().lower() in EMPTY_WORDS


def with_header(table: TextTable, known: Collection[str] = ()) -> TextTable:
    """The table; if its first line is a row, with that row and with numbers as the names of columns.

    A first line is a row if it has a run-length encoding, or the id of a `known` image in its first cell.
    """
    if not table.has_header or not is_row(table.columns, known):
        return table
    names = tuple(f"column {number}" for number in range(1, len(table.columns) + 1))
    return replace(table, columns=names, rows=(table.columns, *table.rows), has_header=False)


def is_row(cells: Sequence[str], known: Collection[str] = ()) -> bool:
    """Whether the cells of a line are those of a row, not the names of columns; `known` are ids of images."""
    first = cells[0].strip()
    return any(are_runs(loose_runs(cell)) for cell in cells) or (
        len(cells) > 1 and (first in known or image_id_of(first) in known)
    )
