"""Files on one machine by their digests: kept once, whatever experiments and workers use them."""

import hashlib
import os
import shutil
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from toolkit.cluster.transfer.held_folders import folders_held, held_folder
from toolkit.cluster.transfer.packs import Pack, Piece
from toolkit.cluster.transfer.target_paths import inside, refuse_links
from toolkit.config.yaml.file_paths import regular
from toolkit.errors import StorageError
from toolkit.files.disk.changes import (
    delete,
    delete_folder,
    link,
    make_folder,
    open_end,
    open_new,
    protect,
    rename,
    sync,
)
from toolkit.files.disk.locks import locked
from toolkit.files.disk.writing import UNFINISHED, new_path, replacing, unfinished_name, write_text

BYTES_AT_MOST = 200 << 30
"""The files take at most this much, unless those that are in use take more."""
_ABANDONED_AFTER = 24 * 3600
"""An unfinished file that nobody has written to for so many seconds was left by a process that was killed."""
_COUNTED_EVERY = 1 << 30
"""After so many new bytes, the files of other processes are counted again."""
_SYNCED_AT_ONCE = 32
_DIGESTS = "digests"
"""The file of a held folder that lists what its process uses."""
_DIGITS = frozenset("0123456789abcdef")


class Source(Protocol):
    """A place that has files by their digests."""

    def get(self, digest: str, to: Path) -> None:
        """Write the file with a digest to a path, whole or not at all."""


@dataclass
class _Part:
    """A large file of which the first pieces have arrived."""

    path: Path
    whole: "hashlib._Hash"
    length: int = 0


class NodeFiles:
    """A folder with files named after their digests (SHA-256), for all processes of a machine.

    A file is there whole or not at all, and never changes: its right to be written is taken away. A process names what
    it uses by `holding`; as long as it lives, this is kept. Of all else, the least recently used makes room for new
    files. Used means read, as far as the file system records it, or laid out. A file that a workspace still names takes
    its room until that workspace is deleted, too.
    """

    def __init__(self, folder: Path, at_most_bytes: int = BYTES_AT_MOST) -> None:
        """`folder` is made when it is needed; all processes of a machine have the same."""
        self._folder, self._at_most = folder, at_most_bytes
        self._parts: dict[str, _Part] = {}
        self._total: int | None = None
        self._added = 0

    def path_of(self, digest: str) -> Path:
        """Where the file with a digest is, or would be.

        Raises:
            StorageError: the text is no SHA-256.
        """
        if len(digest) != 64 or not set(digest) <= _DIGITS:
            raise StorageError(
                f"{digest[:80]!r} is no digest: expected 64 hexadecimal digits", "Run the command again."
            )
        return self._folder / "blobs" / digest

    def missing(self, digests: Iterable[str]) -> list[str]:
        """Those of the digests whose files are not here, each once."""
        return [digest for digest in dict.fromkeys(digests) if not self.path_of(digest).is_file()]

    @contextmanager
    def holding(self, digests: Iterable[str]) -> Iterator[None]:
        """Keep files while the block runs, those too that arrive in it; begin it before asking what is missing."""
        with held_folder(self._folder / "held") as folder:
            write_text(folder / _DIGESTS, "\n".join(digests))
            yield

    @contextmanager
    def filling(self) -> Iterator[None]:
        """Keep other processes waiting that want to fill in what is missing, so that each file arrives once."""
        make_folder(self._folder)
        with locked(self._folder / ".filling", wait=-1):
            yield

    def store(self, pack: Pack) -> None:
        """Take the files of a pack; the pieces of a large file come one after the other, in several packs.

        Raises:
            StorageError: a piece is damaged or out of turn, or the disk is full.
        """
        self._make_room(len(pack.content))
        arrived: dict[Path, Path] = {}
        try:
            for piece, content in pack.parts():
                path = self.path_of(piece.digest)
                if piece.length < piece.size:
                    self._store_part(piece, content)
                elif piece.sum != piece.digest:
                    raise _other_content(piece.digest)
                elif not path.is_file():
                    arrived[path] = unfinished_name(path)
                    _write(content, arrived[path], path)
            _keep(arrived)
        finally:
            for unfinished in arrived.values():
                with suppress(StorageError):
                    delete(unfinished)

    def fetch(self, source: Source, digests: Iterable[str]) -> None:
        """Get those of the files that are missing here from another place; raises as its `get`."""
        for digest in self.missing(digests):
            with new_path(self.path_of(digest)) as path:
                source.get(digest, path)
                protect(path)
                self._make_room(path.stat().st_size)

    def lay_out(self, files: Mapping[str, str], root: Path, folders: Collection[str] = ()) -> None:
        """Give files their names below a root, each whole or not at all; what is right already is not touched.

        A name is a hard link where the file system has such, otherwise a copy. So a file must be replaced, not changed
        in place, as the toolkit does.

        Args:
            files: the digest of each file by its path below the root.
            root: the root of a workspace.
            folders: folders below the root that hold nothing else afterwards; hidden files and folders stay.

        Raises:
            StorageError: a path leads out of the root, a file is missing here, or the disk is full.
        """
        paths = {target: inside(root, target) for target in files}
        refuse_links(root, [*files, *(f"{folder}/any" for folder in folders)])
        missing = self.missing(files.values())
        if missing:
            raise StorageError(
                f"{len(missing)} files to lay out in {root} are not in {self._folder}, the first is {missing[0]}",
                "Run the command again: it sends them again.",
            )
        for folder in folders:
            _clear(root, folder, files)
        for target, digest in files.items():
            _lay_out(self.path_of(digest), paths[target])

    def _store_part(self, piece: Piece, content: memoryview) -> None:
        path = self.path_of(piece.digest)
        part = self._parts.get(piece.digest)
        if piece.offset == 0:
            self._forget_part(piece.digest)
            make_folder(path.parent)
            part = self._parts[piece.digest] = _Part(unfinished_name(path), hashlib.sha256())
        if part is None or part.length != piece.offset:
            self._forget_part(piece.digest)
            raise StorageError(
                f"a piece of the file {piece.digest[:12]}… arrived out of turn",
                "Run the command again: it is sent again.",
            )
        with open_end(part.path, path) as file:
            file.write(content)
        part.whole.update(content)
        part.length += piece.length
        if part.length == piece.size:
            self._finish_part(piece.digest, path)

    def _finish_part(self, digest: str, path: Path) -> None:
        part = self._parts.pop(digest)
        try:
            if part.whole.hexdigest() != digest:
                raise _other_content(digest)
            protect(part.path)
            _keep({path: part.path})
        finally:
            with suppress(StorageError):
                delete(part.path)

    def _forget_part(self, digest: str) -> None:
        part = self._parts.pop(digest, None)
        if part is not None:
            delete(part.path)

    def _make_room(self, size: int) -> None:
        """Delete the least recently used files that nobody holds until new ones of so many bytes fit, if they do."""
        self._added += size
        if self._total is not None and self._added < _COUNTED_EVERY and self._total + self._added <= self._at_most:
            return
        make_folder(self._folder / "blobs")
        with locked(self._folder / ".room", wait=-1):
            found = _files_of(self._folder / "blobs")
            self._total, self._added = sum(one.st_size for one in found.values()), size
            if self._total + size <= self._at_most:
                return
            held = self._held()
            for path, stat in sorted(found.items(), key=lambda one: (last_used(one[1]), one[0].name)):
                if self._total + size <= self._at_most:
                    break
                if path.name not in held:
                    delete(path)
                    self._total -= stat.st_size

    def _held(self) -> set[str]:
        lists = [folder / _DIGESTS for folder in folders_held(self._folder / "held")]
        return {digest for path in lists if path.is_file() for digest in regular(path).read_text().splitlines()}


def last_used(found: os.stat_result) -> float:
    """When a file was read, as far as the file system records it, or laid out, which changes its count of names."""
    return max(found.st_atime, found.st_ctime)


def _files_of(folder: Path) -> dict[Path, os.stat_result]:
    """The complete files; unfinished ones that were left are deleted."""
    found = {}
    for path in folder.iterdir():
        with suppress(FileNotFoundError):  # another process has just finished or deleted it
            stat = path.stat()
            if not UNFINISHED.match(path.name):
                found[path] = stat
            elif stat.st_mtime < time.time() - _ABANDONED_AFTER:
                delete(path)
    return found


def _write(content: memoryview, unfinished: Path, path: Path) -> None:
    with open_new(unfinished, path) as file:
        file.write(content)
    protect(unfinished)


def _keep(arrived: Mapping[Path, Path]) -> None:
    """Give files that are complete their names; they are synced together, which takes a fraction of the time."""
    with ThreadPoolExecutor(_SYNCED_AT_ONCE) as pool:
        for _ in pool.map(sync, arrived.values(), arrived):
            pass
    for path, unfinished in arrived.items():
        rename(unfinished, path, path)
    for folder in {path.parent for path in arrived}:
        sync(folder)


def _other_content(digest: str) -> StorageError:
    return StorageError(
        f"the file {digest[:12]}… arrived with another content", "Run the command again: it is sent again."
    )


def _clear(root: Path, folder: str, files: Mapping[str, str]) -> None:
    """Delete what a folder holds besides these files; hidden files and folders stay."""
    needed = {str(one) for target in files for one in (PurePosixPath(target), *PurePosixPath(target).parents)}
    waiting = [inside(root, folder)]
    if waiting[0].is_dir():
        while waiting:
            for path in waiting.pop().iterdir():
                target = path.relative_to(root).as_posix()
                if path.name.startswith("."):
                    continue
                is_folder = path.is_dir() and not path.is_symlink()
                if target not in needed or is_folder == (target in files):
                    (delete_folder if is_folder else delete)(path)
                elif is_folder:
                    waiting.append(path)


def _lay_out(blob: Path, path: Path) -> None:
    with suppress(OSError):
        there, kept = path.stat(follow_symlinks=False), blob.stat()
        if os.path.samestat(there, kept):
            return
        if (there.st_size, there.st_mtime_ns) == (kept.st_size, kept.st_mtime_ns):  # a copy that was laid out before
            return
    make_folder(path.parent)
    name = unfinished_name(path)
    if link(blob, name):
        try:
            rename(name, path, path)
        finally:
            delete(name)  # it stays if another process has just laid out the same
        return
    with replacing(path) as file, regular(blob).open("rb") as content:
        shutil.copyfileobj(content, file, 1 << 20)
    os.utime(path, ns=(time.time_ns(), blob.stat().st_mtime_ns))
