"""The folder of what can be made again: its files, the room in it, and removing them."""

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from toolkit.files.disk.free_space import free_disk
from toolkit.files.disk.writing import UNFINISHED, write_text, writing_to

BYTES_AT_MOST = 20 << 30
"""All files of the folder together take at most this much."""
_SHARE_OF_DISK = 0.5
"""A new file takes at most this share of what is free."""
_KINDS = (".rows", ".facts")
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
        """All files, unfinished ones too, the least recently used first."""
        found = [path for path in self.path.glob("*") if path.is_file()] if self.path.is_dir() else []
        return sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name))

    def make_room(self, size: int, at_most: int = BYTES_AT_MOST) -> bool:
        """Whether a new file of so many bytes fits; makes the folder, and deletes the least recently used if it must.

        Raises:
            StorageError: the folder cannot be written.
        """
        self._forget_abandoned()
        kept = [path for path in self.files() if path.suffix in _KINDS and not UNFINISHED.match(path.name)]
        sizes = {path: path.stat().st_size for path in kept}
        if size > at_most or size > _SHARE_OF_DISK * free_disk(self.path):
            return False
        while sizes and sum(sizes.values()) + size > at_most:
            oldest = next(iter(sizes))
            oldest.unlink(missing_ok=True)  # a process that reads it keeps it
            del sizes[oldest]
        self.make()
        return True

    def make(self) -> None:
        """Make the folder, with a file that keeps it out of git.

        Raises:
            StorageError: it cannot be written.
        """
        with writing_to(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        if not (self.path / ".gitignore").is_file():
            write_text(self.path / ".gitignore", "*\n")

    def remove(self) -> None:
        """Delete the files and the folder; processes that read a file keep it until they end.

        Raises:
            StorageError: a file cannot be deleted.
        """
        with writing_to(self.path):
            for path in self.files():
                path.unlink(missing_ok=True)
        with suppress(OSError):  # there is no folder, or it holds something else
            self.path.rmdir()

    def _forget_abandoned(self) -> None:
        for path in self.files():
            if UNFINISHED.match(path.name) and path.stat().st_mtime < time.time() - _ABANDONED_AFTER:
                path.unlink(missing_ok=True)
