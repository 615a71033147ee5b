"""Metadata of images from a table: groups, strata, weights or anything else."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from toolkit.core.arrays import Floats
from toolkit.errors import DataError, listing, not_valid
from toolkit.files.disk.tables import read_table
from toolkit.files.images.decoding import image_id_of
from toolkit.files.images.names.alike_ids import alike_ids

_LARGEST_WEIGHT = 1e9


@dataclass(frozen=True)
class Metadata:
    """Columns of text, with one or more rows per image.

    `origin` is the source of the metadata, for messages.
    """

    columns: tuple[str, ...] = ()
    rows: Mapping[str, Sequence[tuple[str, ...]]] = field(default_factory=dict)
    origin: str = ""

    def column(self, name: str) -> tuple[str, ...]:
        """The values of a column, one per image in the order of the sorted ids.

        Raises:
            DataError: the column does not exist or exists several times, or the rows of an image differ in it.
        """
        if not self.origin:
            raise DataError(
                f"there is no column {name!r}, because data.metadata is not set", "Add under data: metadata: FILE.csv"
            )
        if name not in self.columns:
            raise DataError(f"{self.origin}: column {not_valid(name, self.columns)}")
        if self.columns.count(name) > 1:
            raise DataError(f"{self.origin}: several columns are called {name!r}", "Give each column a unique name.")
        place = self.columns.index(name)
        values = []
        for image_id in sorted(self.rows):
            found = list(dict.fromkeys(row[place] for row in self.rows[image_id]))
            if len(found) > 1:
                raise DataError(
                    f"{self.origin}: the rows of {image_id} have different values of {name}: {listing(found)}",
                    "Give all rows of an image the same value.",
                )
            values.append(found[0])
        return tuple(values)

    def beside(self, other: "Metadata") -> "Metadata":
        """The columns of both, which have the same images; of columns with the same name, this one's is kept."""
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
        """The values of a column as numbers of at least 0, `float64 (images,)`, in the order of the sorted ids.

        Raises:
            DataError: as `column`; or a value is not such a number, or all are 0.
        """
        values = []
        for image_id, text in zip(sorted(self.rows), self.column(name), strict=True):
            number = _number(text)
            if not 0 <= number <= _LARGEST_WEIGHT:
                bounds = f"at least 0 and at most {_LARGEST_WEIGHT:.0e}" if number > 0 else "at least 0"
                raise DataError(f"{self.origin}: {name} of {image_id} is {text!r}; expected a number of {bounds}")
            values.append(number)
        if not any(values):
            raise DataError(f"{self.origin}: {name} is 0 for all images", "Give at least one image a value above 0.")
        return np.array(values, np.float64)


def read_metadata(path: Path, id_column: str | None, ids: Sequence[str]) -> Metadata:
    """Read a table with one or more rows per image; rows of other images are ignored.

    Args:
        path: of the CSV file.
        id_column: the name of the column with the ids, with or without file extension; the first column if None.
        ids: of the images.

    Raises:
        MissingFileError: the file does not exist.
        DataError: the file is not a CSV table, lacks the column, or lacks an image.
    """
    table = read_table(path, None, "data.metadata", DataError)
    name = table.columns[0] if id_column is None else id_column
    if name not in table.columns:
        raise DataError(f"data.metadata_id: {path}: column {not_valid(name, table.columns)}")
    place, known = table.columns.index(name), set(ids)
    rows: dict[str, list[tuple[str, ...]]] = {}
    written = {
        cell: cell if cell in known else image_id_of(cell) for cell in (row[place].strip() for row in table.rows)
    }
    alike = alike_ids(written.values(), known)
    for row in table.rows:
        image_id = written[row[place].strip()]
        image_id = alike.get(image_id, image_id)
        if image_id in known:
            rows.setdefault(image_id, []).append(tuple(value.strip() for value in row))
    missing = sorted(known - set(rows))
    if missing:
        first = ", ".join(row[place] for row in table.rows[:3])
        raise DataError(
            f"data.metadata: {path} has no row for {len(missing)} of {len(known)} images: {listing(missing)}",
            f"The ids are read from the column {name!r} (first values: {first}). To use another column, add "
            "under data: metadata_id: COLUMN"
            if first
            else "The table has no rows.",
        )
    return Metadata(table.columns, rows, str(path))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
