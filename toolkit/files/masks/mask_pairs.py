"""CSV files that pair images with mask files, whose names need nothing in common."""

from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath

from toolkit.errors import DataError, MissingFileError, listing
from toolkit.files.disk.tables import TextTable, read_table
from toolkit.files.images.decoding import LOSSY_SUFFIXES, MASK_SUFFIXES, image_id_of

_MOST, _LOOKED_AT = 0.5, 100
_SUFFIXES = (*MASK_SUFFIXES, *LOSSY_SUFFIXES)


def read_pairs(path: Path, ids: Collection[str], key: str) -> dict[str, Path] | None:
    """The mask file of each image; None if the table does not pair images with mask files.

    Paths in the table are relative to its own folder or to the one above. Leading folders that do not exist are left
    out.

    Args:
        path: of the CSV file.
        ids: of the images.
        key: the configuration key of the file, for messages.

    Raises:
        MissingFileError: the table cannot be read.
        DataError: the table is damaged, or an image has two mask files.
    """
    try:
        start = read_table(path, None, key, DataError, lines=_LOOKED_AT)
        if not _mask_columns(start):
            return None
        table = read_table(path, None, key, DataError)
    except DataError:  # reported by the reader of run-length encodings
        return None
    return pairs_of(table, ids, key)


def pairs_of(table: TextTable, ids: Collection[str], key: str) -> dict[str, Path] | None:
    """The same for a table that has been read."""
    places = _mask_columns(table)
    if not places:
        return None
    known = frozenset(ids)
    columns = list(zip(*table.rows, strict=True))
    image_place = next((place for place, cells in enumerate(columns) if _are_images(cells, known)), None)
    for place in places:
        if image_place in (None, place):
            continue
        named = [PurePosixPath(cell.strip().replace("\\", "/")) for cell in columns[place]]
        files = {one: found for one in named if one.name and (found := _file(table.path.parent, one)) is not None}
        if files:
            return _paired([_id(cell) for cell in columns[image_place or 0]], named, files, table.path, key)
    return None


def _mask_columns(table: TextTable) -> list[int]:
    """The columns whose first cells are names of mask files, some of them perhaps empty."""
    columns = list(zip(*table.rows[:_LOOKED_AT], strict=True))
    return [place for place, cells in enumerate(columns) if any(cells) and all(map(_may_be_file, cells))]


def _may_be_file(cell: str) -> bool:
    return not cell.strip() or cell.strip().lower().endswith(_SUFFIXES)


def _are_images(cells: Collection[str], known: Collection[str]) -> bool:
    return sum(_id(cell) in known for cell in cells) > _MOST * len(cells)


def _id(cell: str) -> str:
    return image_id_of(PurePosixPath(cell.strip().replace("\\", "/")).name)


def _file(folder: Path, named: PurePosixPath) -> Path | None:
    """The file of this path, from the folder of the table or from the one above; without leading folders if need be."""
    for start in (folder, folder.parent):
        for skipped in range(len(named.parts)):
            path = start.joinpath(*named.parts[skipped:])
            if path.is_file():
                return path
    return None


def _paired(
    ids: list[str], named: list[PurePosixPath], files: Mapping[PurePosixPath, Path], path: Path, key: str
) -> dict[str, Path]:
    missing = sorted({str(one) for one in named if one.name and one not in files})
    if missing:
        raise MissingFileError(
            f"{key}: {path} names {len(missing)} mask files that do not exist: {listing(missing)}",
            "Write their paths relative to the folder of the table.",
        )
    pairs: dict[str, Path] = {}
    for image_id, one in zip(ids, named, strict=True):
        if one.name and pairs.setdefault(image_id, files[one]) != files[one]:
            raise DataError(
                f"{key}: {path} has two mask files for {image_id}: {pairs[image_id].name} and {files[one].name}",
                "Keep one row for each image.",
            )
    return pairs
