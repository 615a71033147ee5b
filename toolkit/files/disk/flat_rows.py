"""Rows of bytes in one flat file, on disk or in memory, each with a checksum that tells damaged and missing rows."""

import os
import tempfile
import weakref
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from toolkit.config.yaml.file_paths import regular
from toolkit.errors import DataError
from toolkit.files.disk.changes import attempt
from toolkit.files.disk.writing import new_path
from toolkit.messages import Progress

_MAGIC = b"toolkit rows 1\n\0"
_NAME_LENGTH = 32
_START = len(_MAGIC) + _NAME_LENGTH
_MARK = b"row:"
_HEAD = len(_MARK) + 4
_AT_ONCE = 1 << 24
"""Bytes that are read at once where a row is checked."""

Bytes = npt.NDArray[np.uint8]


class Rows:
    """Rows of known sizes, read by position. Threads and processes may share one descriptor: each read is one call.

    A row is a mark, a checksum and the bytes. It is checked when it is first read. A row may be written at any time;
    whoever reads it before that, or while it is written, finds no row.
    """

    def __init__(
        self, descriptor: int, sizes: Sequence[int], *, writable: bool = True, is_in_memory: bool = False
    ) -> None:
        """Take over a descriptor, which is closed when this object is no longer used."""
        self.descriptor, self.writable, self.is_in_memory = descriptor, writable, is_in_memory
        self.sizes = tuple(sizes)
        self._places = (_START + np.cumsum([0, *(size + _HEAD for size in self.sizes)])).tolist()
        self._checked = bytearray(len(self.sizes))
        weakref.finalize(self, _close, descriptor)

    def __reduce__(self) -> tuple[object, ...]:
        """For a process that was started with the same descriptor."""
        return _in_process, (self.descriptor, self.sizes, self.writable, self.is_in_memory)

    @classmethod
    def in_memory(cls, sizes: Sequence[int]) -> "Rows":
        """Empty rows in memory, which is taken as they are written; it is freed with the last process that reads them.

        They are in a nameless file, so that other processes can read them and nothing is left behind.
        """
        rows = cls(nameless_file(), sizes, is_in_memory=True)
        os.ftruncate(rows.descriptor, rows.total)
        return rows

    @classmethod
    def on_disk(cls, path: Path, name: str, sizes: Sequence[int]) -> "Rows | None":
        """The rows in a file of `write_rows`; None if there is no file, or one of another name or length."""
        with suppress(OSError):
            writable = os.access(path, os.W_OK)  # damaged rows can then be repaired
            rows = cls(os.open(regular(path), os.O_RDWR if writable else os.O_RDONLY), sizes, writable=writable)
            if os.fstat(rows.descriptor).st_size == rows.total and os.pread(rows.descriptor, _START, 0) == _start(name):
                return rows
        return None

    @property
    def total(self) -> int:
        """The bytes of the whole file."""
        total: int = self._places[-1]
        return total

    def read(self, row: int, start: int = 0, count: int | None = None) -> Bytes | None:
        """The bytes of a row, or `count` of them from `start`, `uint8 (count,)`; None if it is missing or damaged."""
        if not self._checked[row] and not self._check(row):
            return None
        return _read(
            self.descriptor, self.sizes[row] - start if count is None else count, self._places[row] + _HEAD + start
        )

    def write(self, row: int, content: Bytes) -> None:
        """Write a row; writing the same content several times at once does no harm.

        Raises:
            DataError: the content has another size than the row.
        """
        if content.size != self.sizes[row]:  # it would overwrite the next row
            raise DataError(
                f"a decoded image has {content.size} bytes instead of {self.sizes[row]}: "
                "the image has changed since it was checked",
                "Run the command again, and do not change images or masks while it runs.",
            )
        place = self._places[row]
        _write(self.descriptor, content.data, place + _HEAD)
        _write(self.descriptor, _MARK + zlib.crc32(content.data).to_bytes(4, "little"), place)

    def _check(self, row: int) -> bool:
        place, left, found = self._places[row], self.sizes[row], 0
        head = os.pread(self.descriptor, _HEAD, place)
        if not head.startswith(_MARK):
            return False
        place += _HEAD
        while left:
            part = os.pread(self.descriptor, min(left, _AT_ONCE), place)
            if not part:
                return False
            found = zlib.crc32(part, found)
            place, left = place + len(part), left - len(part)
        self._checked[row] = found.to_bytes(4, "little") == head[len(_MARK) :]
        return bool(self._checked[row])


def nameless_file() -> int:
    """The descriptor of a new file without a name, in memory if the system has such files, otherwise on disk.

    It disappears with the last process that has it open.
    """
    if hasattr(os, "memfd_create"):
        return os.memfd_create("toolkit")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def write_rows(
    path: Path,
    name: str,
    sizes: Sequence[int],
    make: Callable[[int], Bytes],
    *,
    progress: Progress,
    title: str,
) -> None:
    """Write a file of rows atomically; two processes may write the same file at the same time.

    Args:
        path: of the file.
        name: what the rows are, 32 characters.
        sizes: bytes of each row.
        make: gives the content of a row; it is called in threads.
        progress: shows the work.
        title: of the work.

    Raises:
        StorageError: the disk is full or cannot be written.
        DataError: a content has another size than its row.
    """
    with new_path(path) as temporary:
        rows = attempt("write", path, partial(_new_rows, temporary, name, sizes))

        def write(row: int) -> None:
            content = make(row)
            attempt("write", path, partial(rows.write, row, content))

        with ThreadPoolExecutor() as threads, progress.task(title, len(sizes)) as task:
            try:
                for _ in threads.map(write, range(len(sizes))):
                    task.advance()
            except BaseException:
                threads.shutdown(cancel_futures=True)
                raise


def _new_rows(path: Path, name: str, sizes: Sequence[int]) -> Rows:
    rows = Rows(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644), sizes)
    os.ftruncate(rows.descriptor, rows.total)
    _write(rows.descriptor, _start(name), 0)
    return rows


def _in_process(descriptor: int, sizes: Sequence[int], writable: bool, is_in_memory: bool) -> Rows:
    return Rows(descriptor, sizes, writable=writable, is_in_memory=is_in_memory)


def _start(name: str) -> bytes:
    return _MAGIC + name.encode().ljust(_NAME_LENGTH)


def _close(descriptor: int) -> None:
    with suppress(OSError):
        os.close(descriptor)


def _read(descriptor: int, count: int, place: int) -> Bytes | None:
    """`count` bytes from a place; None if the file ends before. One call reads at most 2 GiB."""
    found = np.empty(count, np.uint8)
    left = found.data
    while left:
        length = os.preadv(descriptor, [left], place)
        if not length:
            return None
        left, place = left[length:], place + length
    return found


def _write(descriptor: int, content: bytes | memoryview, place: int) -> None:
    left = memoryview(content).cast("B")
    while left:
        written = os.pwrite(descriptor, left, place)
        left, place = left[written:], place + written
