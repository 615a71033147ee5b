"""Rows of run-length encodings in CSV files, as label tables and submissions have them."""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.config.data.competitions import PLAIN, Competition, Reading, cell_reader
from toolkit.errors import ToolkitError
from toolkit.files.disk.tables import TextTable, read_table
from toolkit.files.images.decoding import image_id_of

_LISTED = 20


@dataclass(frozen=True)
class MaskRow:
    """One row: its line in the file, the cells before the mask, what they mean, and the mask's cell as it stands."""

    line: int
    cells: tuple[str, ...]
    image_id: str
    class_name: str | None
    text: str


@dataclass(frozen=True)
class MaskRows:
    """A CSV file: the names of id, perhaps class, and mask columns, its rows, and what is wrong with other rows."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[MaskRow, ...]
    problems: tuple[str, ...]

    def refuse_problems(self, key: str, error: type[ToolkitError]) -> None:
        """Raise `error` if there are any problems; `key` is what names the file."""
        if self.problems:
            more = [f"… and {len(self.problems) - _LISTED} more"] if len(self.problems) > _LISTED else []
            listed = "\n".join(f"  {problem}" for problem in [*self.problems[:_LISTED], *more])
            raise error(f"{key}: {len(self.problems)} rows of {self.path} are not of this competition:\n{listed}")


def read_mask_rows(path: Path, competition: Competition, key: str, error: type[ToolkitError]) -> MaskRows:
    """Read a submission, or a file that looks like one.

    Columns may have other names than the competition's, but not another number.

    Args:
        path: of the file.
        competition: what says how ids and classes stand in it.
        key: what names the file, for messages.
        error: raised when it is no such table.

    Raises:
        MissingFileError: there is no such file.
    """
    table = read_table(path, len(competition.columns), key, error)
    return _rows(table, range(len(table.columns)), competition, competition.id)


def read_label_rows(
    path: Path, competition: Competition, key: str, error: type[ToolkitError], known: Iterable[str] = ()
) -> MaskRows:
    """Read a table of labels: by the names of its own columns, those of a submission, or else as `read_mask_rows`.

    `known` are ids of images, where they are known.
    """
    if competition is PLAIN:
        return read_mask_rows(path, competition, key, error)
    table = read_table(path, None, key, error)
    forms = [competition.label_form, (competition.columns, competition.id)]
    for columns, template in forms:
        if set(columns) <= set(table.columns):
            return _rows(table, [table.columns.index(name) for name in columns], competition, template, known)
    if len(table.columns) == len(competition.columns):
        return _rows(table, range(len(table.columns)), competition, competition.id, known)
    expected = " or ".join(dict.fromkeys(", ".join(columns) for columns, _ in forms))
    raise error(f"{key}: {path}:1: expected the columns {expected}, received {', '.join(table.columns)}")


def runs_of(cell: str, competition: Competition) -> str:
    """The run-length encoding in a cell: empty where the cell stands for an empty mask."""
    text = cell.strip()
    return "" if text in competition.empty_cells else text


def _rows(
    table: TextTable, positions: Sequence[int], competition: Competition, template: str, known: Iterable[str] = ()
) -> MaskRows:
    read = cell_reader(competition, template, len(positions) == 3)
    # A table may name the files of its images; where the competition says how, its word counts.
    named = template == "{id}"
    *before, last = positions
    readings: dict[int, tuple[Reading, ...]] = {}
    problems: dict[int, str] = {}
    for line, cells in enumerate(table.rows, start=2):
        try:
            readings[line] = read([cells[position].strip() for position in before])
        except ValueError as problem:
            problems[line] = str(problem)
    sure = {*known, *(found[0][0] for found in readings.values() if len(found) == 1)}
    rows = []
    for line, found in readings.items():
        try:
            image_id, class_name = _settled(found, sure)
        except ValueError as problem:
            problems[line] = str(problem)
            continue
        cells = table.rows[line - 2]
        stated = tuple(cells[position] for position in before)
        rows.append(MaskRow(line, stated, image_id_of(image_id) if named else image_id, class_name, cells[last]))
    told = tuple(f"line {line}: {problems[line]}" for line in sorted(problems))
    return MaskRows(table.path, tuple(table.columns[position] for position in positions), tuple(rows), told)


def _settled(readings: Sequence[Reading], sure: Container[str]) -> Reading:
    """Of several readings the one whose image there surely is; the first, of the longest class, where there is none.

    Raises:
        ValueError: there are several such images.
    """
    there = [reading for reading in readings if reading[0] in sure] if len(readings) > 1 else []
    if len(there) > 1:
        texts = " or ".join(f"class {class_name} of image {image_id}" for image_id, class_name in there)
        raise ValueError(f"it could be {texts}, and there are both images")
    return (there or readings)[0]
