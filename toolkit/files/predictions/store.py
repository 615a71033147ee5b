"""The probability store: one map per image, in the size of the image, in flat shards with an index."""

import json
import math
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Literal, NotRequired

import numpy as np
from pydantic import ConfigDict, TypeAdapter, with_config
from typing_extensions import TypedDict  # that of Python 3.11 cannot be checked by pydantic

from toolkit.config.training.execution import EngineName
from toolkit.config.yaml.file_paths import regular
from toolkit.core.arrays import Presence, Probability
from toolkit.core.recipe.probabilities import Stored, StoredType, to_stored
from toolkit.core.tuning.fold_means import FoldSpread
from toolkit.errors import ChangedError, MissingFileError, NotReadyError, StorageError, ToolkitError
from toolkit.files.disk.changes import delete_folder, make_folder, open_new, rename, sync
from toolkit.files.disk.digests import file_digest, ids_digest
from toolkit.files.disk.json_files import STRICT, read_json, write_json
from toolkit.files.disk.tables import format_table, read_table
from toolkit.files.disk.writing import write_text

_SHARD_BYTES = 1 << 28
_COLUMNS = ("image_id", "shard", "offset", "height", "width", "classes", "crc32")
_COUNTS = ("single", "mean", "disagreement")
_MANIFEST, _INDEX, _PRESENCE = "manifest.json", "index.csv", "presence.csv"


@with_config(STRICT)
class StoredSpread(TypedDict):
    """How single folds differ from their mean, see `FoldSpread`."""

    variance: list[Any]
    single: NotRequired[list[list[int]]]
    mean: NotRequired[list[list[int]]]
    disagreement: NotRequired[list[int]]


@with_config(STRICT | ConfigDict(extra="allow"))
class MadeFrom(TypedDict):
    """What the maps were made from: digests and settings, or the stores of members with their digests."""

    members: NotRequired[dict[str, str]]
    engine: NotRequired[EngineName]


@with_config(STRICT)
class Manifest(TypedDict):
    """The content of manifest.json; stores of earlier versions have no digest of their index."""

    format: Literal[1]
    type: StoredType
    images: int
    shard_bytes: list[int]
    made_from: MadeFrom
    index: NotRequired[str]
    presence: NotRequired[str]
    fold_spread: NotRequired[StoredSpread]


_SHAPE = TypeAdapter(Manifest)


@dataclass(frozen=True)
class MapPlace:
    """The place of one map: shard number, offset in bytes, shape (height, width, classes), and the CRC-32 of its bytes.

    Earlier versions wrote no checksums.
    """

    shard: int
    offset: int
    shape: tuple[int, int, int]
    checksum: int | None = None


class ProbabilityWriter:
    """Writes a store map by map; it replaces the folder when the block succeeds.

    `fold_spread` may be set before it does, if maps are the mean of folds.
    """

    def __init__(self, folder: Path, stored_type: StoredType, made_from: Mapping[str, Any]) -> None:
        self._folder = folder
        self._partial = folder.with_name(f".{folder.name}.partial")
        self._stored_type = stored_type
        self._made_from = dict(made_from)
        self._places: dict[str, MapPlace] = {}
        self._presence: dict[str, Presence] = {}
        self._shard = -1
        self._file: BinaryIO | None = None
        self._last = ""
        self._rows_left = 0
        self._checksum = 0
        self.fold_spread: FoldSpread | None = None

    def __enter__(self) -> "ProbabilityWriter":
        delete_folder(self._partial)
        make_folder(self._partial)
        return self

    def append(self, image_id: str, probability: Probability, presence: Presence | None = None) -> None:
        """Add the map of one image, `float32 (height, width, classes)`, 0–1.

        `presence` is the output of a presence head, `float32 (classes,)`, 0–1; all images of a store have it, or none.

        Raises:
            StorageError: the disk is full.
        """
        self.append_rows(image_id, probability.shape[0], probability, presence)

    def append_rows(self, image_id: str, height: int, rows: Probability, presence: Presence | None = None) -> None:
        """Add the next rows, `float32 (rows, width, classes)`, of the map of an image with `height` rows.

        Each image is completed before the next begins; `presence` is given with the last rows. Raises as `append`.
        """
        count, width, classes = rows.shape
        if not self._rows_left:
            if image_id in self._places:
                raise ValueError(f"{image_id} is already in the store")
            self._begin(image_id, (height, width, classes))
        shape = self._places[self._last].shape
        if image_id != self._last or shape != (height, width, classes) or count > self._rows_left:
            raise ValueError(f"rows of {image_id} do not follow the rows of {self._last}")
        content = np.ascontiguousarray(to_stored(rows, self._stored_type))
        self._file.write(content.data)  # type: ignore[union-attr] # _begin has opened it
        self._checksum = zlib.crc32(content.data, self._checksum)
        self._rows_left -= count
        if not self._rows_left:
            self._places[image_id] = replace(self._places[image_id], checksum=self._checksum)
            if len(self._places) > 1 and (presence is None) == bool(self._presence):
                word = "lacks" if presence is None else "has"
                raise ValueError(f"{image_id} {word} a presence, unlike the images before it")
            if presence is not None:
                self._presence[image_id] = presence

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._file is not None:
                self._file.close()
            if kind is None:
                self._finish()
        finally:
            with suppress(StorageError):
                delete_folder(self._partial)

    def _begin(self, image_id: str, shape: tuple[int, int, int]) -> None:
        size = int(np.prod(shape)) * np.dtype(self._stored_type).itemsize
        file = self._open_shard(size)
        self._places[image_id] = MapPlace(self._shard, file.tell(), shape)
        self._last, self._rows_left, self._checksum = image_id, shape[0], 0

    def _open_shard(self, size: int) -> BinaryIO:
        if self._file is None or self._file.tell() + size > _SHARD_BYTES:
            if self._file is not None:
                self._file.close()
            self._shard += 1
            self._file = open_new(self._partial / _shard_name(self._shard), self._folder)
        return self._file

    def _finish(self) -> None:
        if self._rows_left:
            raise ValueError(f"{self._last} lacks {self._rows_left} rows")
        rows = [
            (image_id, place.shard, place.offset, *place.shape, place.checksum)
            for image_id, place in self._places.items()
        ]
        write_text(self._partial / _INDEX, format_table(_COLUMNS, rows))
        if self._presence:
            classes = range(len(next(iter(self._presence.values()))))
            values = [(image_id, *presence) for image_id, presence in self._presence.items()]
            columns = ("image_id", *(f"class{number}" for number in classes))
            write_text(self._partial / _PRESENCE, format_table(columns, values))
        shards = [self._partial / _shard_name(number) for number in range(self._shard + 1)]
        for shard in shards:
            sync(shard)
        write_json(
            self._partial / _MANIFEST,
            {
                "format": 1,
                "type": self._stored_type,
                "images": len(self._places),
                "index": file_digest(self._partial / _INDEX),
                "ids_digest": ids_digest(self._places),
                "shard_bytes": [shard.stat().st_size for shard in shards],
                "made_from": self._made_from,
            }
            | ({"presence": file_digest(self._partial / _PRESENCE)} if self._presence else {})
            | ({} if self.fold_spread is None else {"fold_spread": _spread_to_plain(self.fold_spread)}),
        )
        discarded = self._folder.with_name(f".{self._folder.name}.old")
        delete_folder(discarded)
        if self._folder.exists():
            rename(self._folder, discarded)
        rename(self._partial, self._folder, self._folder)
        sync(self._folder.parent)
        delete_folder(discarded)


class ProbabilityStore:
    """Reads a store; opening it reads only the index. `fold_spread` is None if it is not known."""

    def __init__(self, folder: Path) -> None:
        """Open the store in a folder.

        Raises:
            NotReadyError: the store does not exist.
            StorageError: the store is damaged.
            ChangedError: the store was averaged from predictions that have changed since.
        """
        if not is_made(folder):
            raise NotReadyError(f"there are no predictions in {folder}", f"Run: tk fit {folder.parent.parent}")
        _refuse_stale(folder)
        manifest = _read_manifest(folder)
        self.folder = folder
        self.made_from: Mapping[str, Any] = manifest["made_from"]
        self._type = np.dtype(manifest["type"])
        try:
            self.fold_spread = _spread_from_plain(manifest.get("fold_spread"))
            self._places = _read_index(folder, manifest, self._type.itemsize)
            self._presence = _read_presence(folder, manifest["presence"]) if "presence" in manifest else {}
        except (MissingFileError, StorageError, OSError, ValueError, OverflowError) as error:
            raise _damaged(folder) from error
        self._manifest = manifest
        shards = [folder / _shard_name(number) for number in range(len(manifest["shard_bytes"]))]
        sizes = [path.stat().st_size if path.is_file() else -1 for path in shards]
        if sizes != manifest["shard_bytes"] or len(self._places) != manifest["images"]:
            raise _damaged(folder)

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids in the order of the maps on disk; reading in this order is fastest."""
        return tuple(self._places)

    @property
    def stored_type(self) -> StoredType:
        """How probabilities are stored: `uint8` (0–255) or `float16` (0–1)."""
        return "uint8" if self._type == np.uint8 else "float16"

    def size(self, image_id: str) -> tuple[int, int]:
        """(height, width) of an image."""
        height, width, _ = self._places[image_id].shape
        return height, width

    def read(self, image_id: str) -> Stored:
        """The map of one image as it is stored, `uint8` 0–255 or `float16` 0–1, (height, width, classes).

        Raises:
            StorageError: the map is damaged.
            ChangedError: the store was replaced or deleted since it was opened.
        """
        place = self._places[image_id]
        shard = self.folder / _shard_name(place.shard)
        try:
            values = np.fromfile(regular(shard), self._type, math.prod(place.shape), offset=place.offset)
            found: Stored = values.reshape(place.shape)
        except (OSError, ValueError) as error:
            raise self._unreadable() from error
        # Always: another command may have replaced the store since it was opened.
        if place.checksum is not None and zlib.crc32(values.data) != place.checksum:
            raise self._unreadable(f"the map of {image_id} in {shard.name} is not what was written")
        return found

    def _unreadable(self, *how: str) -> ToolkitError:
        if is_made(self.folder) and _read_manifest(self.folder) == self._manifest:
            return _damaged(self.folder, *how)
        return ChangedError(
            f"the predictions in {self.folder} were replaced or deleted while they were in use",
            "Run the command again when no other command makes predictions there.",
        )

    def presence(self, image_id: str) -> Presence | None:
        """The probability that each class occurs in an image, `float32 (classes,)`, 0–1, averaged like the maps.

        None if the network has no presence head.
        """
        return self._presence.get(image_id)

    def __iter__(self) -> Iterator[tuple[str, Stored]]:
        """Ids and maps, in the order on disk."""
        for image_id in self._places:
            yield image_id, self.read(image_id)


def mark_of(folder: Path) -> Path:
    """The file that is written last: with it, the folder holds a complete store."""
    return folder / _MANIFEST


def is_made(folder: Path) -> bool:
    """Whether the folder holds a complete store."""
    return mark_of(folder).is_file()


def is_made_from(folder: Path, made_from: Mapping[str, Any]) -> bool:
    """Whether the folder holds a complete store that was made from exactly these weights, configuration and images."""
    if not is_made(folder):
        return False
    # Through JSON, as the manifest was: tuples become lists.
    return bool(_read_manifest(folder)["made_from"] == json.loads(json.dumps(made_from)))


def engines_of(folder: Path) -> frozenset[EngineName]:
    """What computed the maps of a store, or those of its members that still exist; nothing without a store."""
    found: set[EngineName] = set()
    waiting, seen = [folder.resolve()], set[Path]()
    while waiting:
        place = waiting.pop()
        if place in seen or not is_made(place):
            continue
        seen.add(place)
        made_from = _read_manifest(place)["made_from"]
        if "members" in made_from:
            waiting += [(place / member).resolve() for member in made_from["members"]]
        else:
            found.add(made_from.get("engine", "tensorflow"))
    return frozenset(found)


def store_digest(folder: Path) -> str:
    """A digest of what the maps of a store were made from."""
    return file_digest(folder / _MANIFEST)


def member_digests(folder: Path, members: Sequence[Path]) -> dict[str, str]:
    """The stores that the mean in `folder` is made from: paths relative to the folder, with their digests."""
    return {Path(os.path.relpath(member, folder)).as_posix(): store_digest(member) for member in members}


def _refuse_stale(folder: Path) -> None:
    """Refuse a mean whose members were predicted again since; members that no longer exist are ignored."""
    for path, expected in _read_manifest(folder)["made_from"].get("members", {}).items():
        member = folder / path
        if is_made(member):
            if store_digest(member) != expected:
                raise ChangedError(
                    f"{folder} was averaged from predictions that have changed since: {member.resolve()}",
                    f"Repeat the command tk ensemble that created it, with --name {folder.parents[1].name}",
                )
            _refuse_stale(member)


def _read_manifest(folder: Path) -> Manifest:
    return read_json(folder / _MANIFEST, _SHAPE, _again(folder))


def _read_index(folder: Path, manifest: Manifest, item_bytes: int) -> dict[str, MapPlace]:
    """The places of the maps; raises ValueError or StorageError if the index is damaged."""
    if "index" in manifest and file_digest(folder / _INDEX) != manifest["index"]:
        raise _damaged(folder)
    sizes, places = manifest["shard_bytes"], {}
    for image_id, *cells in read_table(folder / _INDEX, None, str(folder), StorageError).rows:
        shard, offset, height, width, classes, *checksum = map(int, cells)
        end = offset + height * width * classes * item_bytes
        if not 0 <= shard < len(sizes) or min(offset, height, width, classes) < 0 or end > sizes[shard]:
            raise ValueError(f"{image_id} is not in the shards")
        places[image_id] = MapPlace(shard, offset, (height, width, classes), *checksum)
    return places


def _spread_to_plain(spread: FoldSpread) -> dict[str, Any]:
    counts = {name: getattr(spread, name) for name in _COUNTS}
    known = {name: found.tolist() for name, found in counts.items() if found is not None}
    return {"variance": spread.variance.tolist()} | known


def _spread_from_plain(tree: StoredSpread | None) -> FoldSpread | None:
    if tree is None:
        return None
    counts = {name: np.array(found, np.int64) for name in _COUNTS if (found := tree.get(name)) is not None}
    return FoldSpread(np.array(tree["variance"], np.float64), **counts)


def _read_presence(folder: Path, expected: str) -> dict[str, Presence]:
    rows = read_table(folder / _PRESENCE, None, str(folder), StorageError).rows
    if file_digest(folder / _PRESENCE) != expected:
        raise _damaged(folder)
    return {row[0]: np.array(row[1:], np.float32) for row in rows}


def _damaged(folder: Path, how: str = "files are missing, truncated, or not what was written") -> StorageError:
    return StorageError(f"the predictions in {folder} are damaged: {how}", _again(folder))


def _again(folder: Path) -> str:
    return f"Delete {folder} and repeat the command that created it."


def _shard_name(number: int) -> str:
    return f"maps-{number:05d}.bin"
