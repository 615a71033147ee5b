"""What a table says of each image besides its pixels: groups, strata, weights, or anything else."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from toolkit.core.arrays import Floats
from toolkit.errors import DataError, not_valid
from toolkit.files.disk.tables import read_table
from toolkit.files.images.decoding import image_id_of

_LISTED = 5


@dataclass(frozen=True)
class Metadata:
    """Columns of text; of each image there are one or more rows.

    `origin` says where they come from, for messages.
    """

    columns: tuple[str, ...] = ()
    rows: Mapping[str, Sequence[tuple[str, ...]]] = field(default_factory=dict)
    origin: str = ""

    def column(self, name: str) -> tuple[str, ...]:
        """The values of a column in the order of the sorted ids.

        Raises:
            DataError: there is no such column, or rows of one image differ in it.
        """
        if not self.origin:
            raise DataError(f"there is no column {name}: no data.metadata is named", "Add to data: metadata: FILE.csv")
        if name not in self.columns:
            raise DataError(f"{self.origin}: column {not_valid(name, self.columns)}")
        if self.columns.count(name) > 1:
            raise DataError(f"{self.origin}: several columns are called {name}", "Give each a name of its own.")
        place = self.columns.index(name)
        values = []
        for image_id in sorted(self.rows):
            found = list(dict.fromkeys(row[place] for row in self.rows[image_id]))
            if len(found) > 1:
                raise DataError(
                    f"{self.origin}: {image_id} has several rows, with {name} {' and '.join(found[:_LISTED])}",
                    "An image has one value.",
                )
            values.append(found[0])
        return tuple(values)

    def beside(self, other: "Metadata") -> "Metadata":
        """The columns of both, of the same images; of columns of one name this one's counts."""
        if not other.columns:
            return self
        added = [place for place, name in enumerate(other.columns) if name not in self.columns]
        rows = {
            image_id: [
                (*ours, *(theirs[place] for place in added)) for ours in several for theirs in other.rows[image_id]
            ]
            for image_id, several in self.rows.items()
        }
        columns = (*self.columns, *(other.columns[place] for place in added))
        return Metadata(columns, rows, f"{self.origin} and {other.origin}")

    def numbers(self, name: str) -> Floats:
        """The values of a column as numbers from 0, `float64 (images,)`, in the order of the sorted ids.

        Raises:
            DataError: as `column`; or a value is no such number, or none is above 0.
        """
        values = []
        for image_id, text in zip(sorted(self.rows), self.column(name), strict=True):
            number = _number(text)
            if not 0 <= number < math.inf:
                raise DataError(f"{self.origin}: {name} of {image_id} is {text!r}; expected a number from 0")
            values.append(number)
        if not any(values):
            raise DataError(f"{self.origin}: {name} is 0 for all images")
        return np.array(values, np.float64)


def read_metadata(path: Path, id_column: str | None, ids: Sequence[str]) -> Metadata:
    """Read a table with a row for each image; rows of other images are left out.

    Args:
        path: of the CSV file.
        id_column: name of the column of the ids, with or without extension; the first if None.
        ids: of the images.

    Raises:
        MissingFileError: there is no such file.
        DataError: it is no table, has no such column, or lacks an image.
    """
    table = read_table(path, None, "data.metadata", DataError)
    name = table.columns[0] if id_column is None else id_column
    if name not in table.columns:
        raise DataError(f"data.metadata_id: {path}: column {not_valid(name, table.columns)}")
    place, known = table.columns.index(name), set(ids)
    rows: dict[str, list[tuple[str, ...]]] = {}
    for row in table.rows:
        cell = row[place].strip()
        image_id = cell if cell in known else image_id_of(cell)
        if image_id in known:
            rows.setdefault(image_id, []).append(tuple(value.strip() for value in row))
    missing = sorted(known - set(rows))
    if missing:
        such_as = f"{', '.join(missing[:_LISTED])}{', …' if len(missing) > _LISTED else ''}"
        first = ", ".join(row[place] for row in table.rows[:3])
        raise DataError(
            f"data.metadata: {path} has no row for {len(missing)} of {len(known)} images: {such_as}",
            f"Its column {name} has ids such as {first}; name another column with metadata_id: COLUMN."
            if first
            else "It has no rows.",
        )
    return Metadata(table.columns, rows, str(path))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
