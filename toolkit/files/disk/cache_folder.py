"""The folder of what can be made again: its files, the room in it, and removing them."""

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

from toolkit.errors import StorageError
from toolkit.files.disk.changes import delete, make_folder
from toolkit.files.disk.free_space import free_disk
from toolkit.files.disk.writing import UNFINISHED, write_text

BYTES_AT_MOST = 20 << 30
"""All files of the folder together take at most this much."""
_SHARE_OF_DISK = 0.5
"""A new file takes at most this share of what is free after others have made room for it."""
_KINDS = (".rows", ".facts")
_MARKER = ".gitignore"
_ABANDONED_AFTER = 24 * 3600
"""An unfinished file that nobody has written to for so many seconds was left by a process that was killed."""


@dataclass(frozen=True)
class CacheFolder:
    """Files that commands can make again. The least recently used ones are deleted where a new one needs their room."""

    path: Path

    def facts(self, name: str) -> Path:
        """The file of what was found in images that have not changed since."""
        return self.path / f"{name}.facts"

    def rows(self, name: str) -> Path:
        """The file of decoded images with a name."""
        return self.path / f"{name}.rows"

    def used(self, path: Path) -> None:
        """Note that a file is in use, so that others make room before it."""
        with suppress(OSError):  # the folder may be read-only
            os.utime(path)

    def files(self) -> list[Path]:
        """The files of this program, unfinished ones too, the least recently used first."""
        return [path for path in self._found() if path.suffix in _KINDS]

    def sizes(self) -> dict[Path, int]:
        """The bytes of all files, in the order of `files`."""
        return {path: found.st_size for path, found in self._found().items()}

    def make_room(self, size: int, at_most: int = BYTES_AT_MOST) -> bool:
        """Whether a new file of so many bytes fits; makes the folder, and deletes the least recently used if it must.

        Raises:
            StorageError: the folder cannot be written.
        """
        self._forget_abandoned()
        sizes = {path: count for path, count in self.sizes().items() if _is_kept(path)}
        total, free = sum(sizes.values()), free_disk(self.path)
        if size > at_most or size > _SHARE_OF_DISK * (free + total):
            return False
        for path, count in sizes.items():
            if total + size <= at_most and size <= _SHARE_OF_DISK * free:
                break
            delete(path)  # a process that reads it keeps it
            total, free = total - count, free + count
        self.make()
        return True

    def make(self) -> None:
        """Make the folder, with a file that keeps it out of git.

        Raises:
            StorageError: it cannot be written.
        """
        make_folder(self.path)
        if not (self.path / _MARKER).is_file():
            write_text(self.path / _MARKER, "*\n")

    def remove(self) -> None:
        """Delete the files of this program, and the folder if it holds nothing else.

        Processes that read a file keep it until they end.

        Raises:
            StorageError: a file cannot be deleted.
        """
        for path in self.files():
            delete(path)
        marker = self.path / _MARKER
        with suppress(OSError, StorageError):  # there is no folder
            if set(self.path.iterdir()) <= {marker}:
                delete(marker)
                self.path.rmdir()

    def _found(self) -> dict[Path, os.stat_result]:
        """All files, the least recently used first; other processes may delete them meanwhile."""
        found = {}
        with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
            for path in self.path.iterdir():
                with suppress(FileNotFoundError):
                    found[path] = path.stat()
        files = [path for path, stat in found.items() if S_ISREG(stat.st_mode)]
        return {path: found[path] for path in sorted(files, key=lambda path: (found[path].st_mtime_ns, path.name))}

    def _forget_abandoned(self) -> None:
        for path, found in self._found().items():
            if UNFINISHED.match(path.name) and found.st_mtime < time.time() - _ABANDONED_AFTER:
                delete(path)


def _is_kept(path: Path) -> bool:
    return path.suffix in _KINDS and not UNFINISHED.match(path.name)


def cache_beside(experiments: Path) -> CacheFolder:
    """The folder of what can be made again: `cache/` beside `experiments/`, or in a folder of another name.

    `tk clean` deletes it.
    """
    return CacheFolder((experiments.parent if experiments.name == "experiments" else experiments) / "cache")
