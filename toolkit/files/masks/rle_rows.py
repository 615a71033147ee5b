"""Rows of run-length encodings in CSV files: tables of labels, submissions and solutions."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from toolkit.config.data.competitions import PLAIN, Competition, Reading, cell_reader
from toolkit.errors import ToolkitError, listing, listing_lines
from toolkit.files.disk.tables import TextTable, read_table
from toolkit.files.images.decoding import image_id_of
from toolkit.files.images.names.alike_ids import alike_ids
from toolkit.files.masks.loose_cells import is_row, loose_runs, with_header


@dataclass(frozen=True)
class MaskRow:
    """One row: its line, the cells before the mask, the image and class that they name, and the mask's cell."""

    line: int
    cells: tuple[str, ...]
    image_id: str
    class_name: str | None
    text: str


@dataclass(frozen=True)
class MaskRows:
    """A CSV file: the names of its columns (id, class if there is one, mask), its rows, and problems of other rows.

    `alike` are the ids that are spelt otherwise in the file, each with that of the image.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[MaskRow, ...]
    problems: tuple[str, ...]
    has_header: bool = True
    alike: Mapping[str, str] = field(default_factory=dict)

    def refuse_problems(self, key: str, error: type[ToolkitError]) -> None:
        """Raise `error` if there are any problems; `key` is the configuration key of the file, for messages."""
        if self.problems:
            count, listed = len(self.problems), listing_lines(self.problems)
            raise error(f"{key}: {count} rows of {self.path} do not have the competition's format:\n{listed}")


def read_mask_rows(
    path: Path, competition: Competition, key: str, error: type[ToolkitError], known: Iterable[str] = ()
) -> MaskRows:
    """Read a submission, or another file with the same columns.

    The columns may have other names than the competition's, but must be as many.

    Args:
        path: of the CSV file.
        competition: the format of ids and classes.
        key: the configuration key of the file, for messages.
        error: raised if the file is not such a table.
        known: ids of images, as far as they are known; ids that differ from them only in spelling are theirs.

    Raises:
        MissingFileError: the file does not exist.
    """
    table = read_table(path, len(competition.columns), key, error)
    if is_row(table.columns):
        raise error(
            f"{key}: {path}:1: the first line is a row ({', '.join(table.columns)[:60]}), not the names of the columns",
            f"Write the names of the columns above it: {','.join(competition.columns)}",
        )
    return _rows(table, range(len(table.columns)), competition, competition.id, known)


def read_label_rows(
    path: Path, competition: Competition, key: str, error: type[ToolkitError], known: Iterable[str] = ()
) -> MaskRows:
    """Read a table of labels, or a solution.

    The columns may be those of the competition's label tables or of its submissions, among others; or they have other
    names, but are as many as those of submissions.

    Args:
        path: of the CSV file.
        competition: the format of ids and classes.
        key: the configuration key of the file, for messages.
        error: raised if the file is not such a table.
        known: ids of images, as far as they are known; they resolve ids that can be read in several ways.

    Raises:
        MissingFileError: the file does not exist.
    """
    known = tuple(known)
    count = len(competition.columns) if competition is PLAIN else None
    table = with_header(read_table(path, count, key, error), frozenset(known))
    if competition is PLAIN:
        return _rows(table, range(len(table.columns)), competition, competition.id, known)
    forms = [competition.label_form, (competition.columns, competition.id)]
    for columns, template in forms:
        if set(columns) <= set(table.columns):
            return _rows(table, [table.columns.index(name) for name in columns], competition, template, known)
    if len(table.columns) == len(competition.columns):
        return _rows(table, range(len(table.columns)), competition, competition.id, known)
    expected = " or ".join(dict.fromkeys(", ".join(columns) for columns, _ in forms))
    raise error(f"{key}: {path}:1: expected the columns {expected}, received {listing(table.columns, 20)}")


def runs_of(cell: str, competition: Competition) -> str:
    """The run-length encoding in a cell; an empty text if the cell means an empty mask."""
    text = cell.strip()
    return "" if text in competition.empty_cells else loose_runs(text)


def _rows(
    table: TextTable, positions: Sequence[int], competition: Competition, template: str, known: Iterable[str] = ()
) -> MaskRows:
    read = cell_reader(competition, template, len(positions) == 3)
    # A table may have file names as ids; if the competition has its own form of ids, that is kept.
    named = template == "{id}"
    *before, last = positions
    readings: dict[int, tuple[Reading, ...]] = {}
    problems: dict[int, str] = {}
    for line, cells in enumerate(table.rows, start=table.first_line):
        try:
            readings[line] = read([cells[position].strip() for position in before])
        except ValueError as problem:
            problems[line] = str(problem)
    images = frozenset(known)
    sure = {*images, *(found[0][0] for found in readings.values() if len(found) == 1)}
    rows = []
    for line, found in readings.items():
        try:
            image_id, class_name = _settled(found, sure)
        except ValueError as problem:
            problems[line] = str(problem)
            continue
        cells = table.rows[line - table.first_line]
        stated = tuple(cells[position] for position in before)
        rows.append(MaskRow(line, stated, image_id_of(image_id) if named else image_id, class_name, cells[last]))
    told = tuple(f"line {line}: {problems[line]}" for line in sorted(problems))
    alike = alike_ids((row.image_id for row in rows), images)
    if alike:
        rows = [replace(row, image_id=alike.get(row.image_id, row.image_id)) for row in rows]
    columns = tuple(table.columns[position] for position in positions)
    return MaskRows(table.path, columns, tuple(rows), told, table.has_header, alike)


def _settled(readings: Sequence[Reading], sure: Container[str]) -> Reading:
    """The reading whose image is known to exist; if none does, the first one, which has the longest class name.

    Raises:
        ValueError: several readings have an image that exists.
    """
    there = [reading for reading in readings if reading[0] in sure] if len(readings) > 1 else []
    if len(there) > 1:
        texts = " or ".join(f"class {class_name} of image {image_id}" for image_id, class_name in there)
        raise ValueError(f"the id may mean {texts}; both images exist")
    return (there or readings)[0]
