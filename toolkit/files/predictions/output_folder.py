"""The output folder of `tk predict` and of evaluations: its files, and what each was made from."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

from pydantic import TypeAdapter, with_config
from typing_extensions import TypedDict  # that of Python 3.11 cannot be checked by pydantic

from toolkit.errors import ChangedError, StorageError, listing
from toolkit.files.disk.changes import delete, make_folder
from toolkit.files.disk.digests import digest
from toolkit.files.disk.json_files import STRICT, read_json, write_json
from toolkit.files.disk.locks import locked
from toolkit.files.disk.tables import format_table
from toolkit.files.disk.writing import UNFINISHED, replacing, write_text

_RECORD, _TABLE, _LOCK = "predictions.json", "predictions.csv", ".predicting"
_ANNOUNCED = ""
"""Stands in the record instead of a key for a file that is not finished."""


@with_config(STRICT)
class Record(TypedDict):
    """The content of predictions.json: the key of each file by its path, and what the last run made them from."""

    format: Literal[1]
    files: dict[str, str]
    made_from: dict[str, Any]


_SHAPE = TypeAdapter(Record)


@dataclass(frozen=True)
class InputRow:
    """The result for one file: its id and size (height, width), or why it could not be predicted."""

    file: str
    image_id: str
    size: tuple[int, int] | None
    failure: str = ""


def holds_predictions(folder: Path) -> bool:
    """Whether a folder holds predictions."""
    return (folder / _RECORD).is_file()


class PredictionFolder:
    """The files of all runs that wrote to a folder, each with a key that identifies what it was made from.

    A file with the wanted key need not be made again. Files that no run has written are never replaced.
    """

    def __init__(self, folder: Path) -> None:
        """Read the record, if there is one.

        Raises:
            StorageError: the record is damaged.
        """
        self.folder = folder
        self._keys: dict[str, str] = {}
        self._made_from: dict[str, Any] = {}
        self._read_record()

    @property
    def made_from(self) -> Mapping[str, Any]:
        """What the last run made the files from; empty before the first run."""
        return self._made_from

    @property
    def record(self) -> Path:
        """The file that records what each file was made from."""
        return self.folder / _RECORD

    @property
    def table(self) -> Path:
        """The table of the last run, with a row per file."""
        return self.folder / _TABLE

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder while the block runs; creates it, and deletes the unfinished files of killed runs.

        Raises:
            LockedError: another run has locked the folder.
            StorageError: the folder cannot be written, or is a file.
        """
        if self.folder.exists() and not self.folder.is_dir():
            raise StorageError(f"cannot write to {self.folder}: it is a file", "Choose a folder with --out.")
        make_folder(self.folder)
        with locked(self.folder / _LOCK):
            self._read_record()  # another run may have written it meanwhile
            self._remove_half_written()
            yield

    def _read_record(self) -> None:
        if not self.record.is_file():
            return
        tree = read_json(self.record, _SHAPE, f"Delete {self.folder} and repeat the command.")
        self._keys, self._made_from = tree["files"], tree["made_from"]

    def _remove_half_written(self) -> None:
        """Delete unfinished files of the toolkit, and nothing else: the folder may hold other files."""
        ours = {_RECORD, _TABLE, *(path for path, key in self._keys.items() if key == _ANNOUNCED)}
        for parent in {(self.folder / path).parent for path in ours}:
            for path in parent.glob(".*") if parent.is_dir() else ():
                target = path.with_name(UNFINISHED.sub("", path.name, count=1))
                if target != path and target.relative_to(self.folder).as_posix() in ours:
                    delete(path)

    def has(self, path: str, key: str) -> bool:
        """Whether a file exists and was made with this key."""
        return self._keys.get(path) == key and (self.folder / path).is_file()

    def was_made(self, path: str) -> bool:
        """Whether a file exists and was finished by any run."""
        return bool(self._keys.get(path)) and (self.folder / path).is_file()

    def finished(self) -> list[str]:
        """The files that any run has finished and that are still there, sorted."""
        return sorted(path for path in self._keys if self.was_made(path))

    def announce(self, paths: Sequence[str], made_from: Mapping[str, Any] | None = None) -> None:
        """Record which files will be written; `made_from` is stored for people to read.

        Raises:
            ChangedError: a file exists that no run has written.
        """
        strange = [path for path in paths if path not in self._keys and (self.folder / path).exists()]
        if strange:
            raise ChangedError(
                f"the folder has files that this command did not write and does not overwrite ({len(strange)}): "
                f"{listing(self.folder / path for path in strange)}",
                "Choose another folder with --out, or move these files.",
            )
        self._keys |= dict.fromkeys(paths, _ANNOUNCED)
        self._made_from = self._made_from if made_from is None else dict(made_from)
        self.save()

    def write(self, path: str, content: bytes, key: str) -> None:
        """Write a whole file; only `save` writes the record.

        Raises:
            StorageError: the disk is full or cannot be written.
        """
        with self.replacing(path, key) as file:
            file.write(content)

    @contextmanager
    def replacing(self, path: str, key: str) -> Iterator[BinaryIO]:
        """Open a file for writing in chunks; raises as `write`."""
        with replacing(self.folder / path) as file:
            yield file
        self._keys[path] = key

    def key_of(self, paths: Sequence[str]) -> str:
        """The key of a file that is made from other files."""
        return digest("\n".join(f"{path} {self._keys[path]}" for path in paths).encode())

    def discard(self, paths: Iterable[str]) -> None:
        """Delete the files of an image that can no longer be predicted."""
        for path in paths:
            delete(self.folder / path)
            del self._keys[path]

    def save(self) -> None:
        """Write the record."""
        write_json(self.record, {"format": 1, "made_from": self._made_from, "files": self._keys})

    def write_table(self, rows: Sequence[InputRow]) -> None:
        """Write the table of a run."""
        cells = [(row.file, row.image_id, *(row.size or ("", "")), row.failure) for row in rows]
        write_text(self.table, format_table(("file", "id", "height", "width", "failure"), cells))
