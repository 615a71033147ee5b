"""A cache of decoded arrays, so that an image that is read window by window is decoded once."""

import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

_BYTES_AT_MOST = 1 << 28
_LARGE = 1 / 8
"""An array that takes more than this share of the cache is kept on disk."""
_SHARE_OF_DISK = 0.5
"""A single array on disk takes at most this share of the free space in the folder for temporary files."""

Bytes = npt.NDArray[np.uint8]


@dataclass
class _Entry:
    reading: threading.Lock = field(default_factory=threading.Lock)
    array: Bytes | None = None


class RecentlyDecoded:
    """The most recently requested arrays by name, up to a number of bytes; the latest one is kept whatever its size.

    Large arrays do not count: they are kept in temporary files, as long as the disk has space, and only the windows
    that are needed are read. These files have no name and disappear when the process ends, however it ends.

    Threads may share a cache: a thread that asks for an array waits while another thread reads it.
    """

    def __init__(self, bytes_at_most: int = _BYTES_AT_MOST) -> None:
        self._bytes_at_most = bytes_at_most
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._changing = threading.Lock()

    def __reduce__(self) -> tuple[object, ...]:
        """An empty cache, for another process."""
        return RecentlyDecoded, (self._bytes_at_most,)

    def fits(self, size: int) -> bool:
        """Whether an array of so many bytes is kept in memory."""
        return size <= self._bytes_at_most * _LARGE

    def get(self, name: str, read: Callable[[], Bytes]) -> Bytes:
        """The array of this name, read-only; `read` is called if it is not in the cache."""
        with self._changing:
            entry = self._entries.setdefault(name, _Entry())
            self._entries.move_to_end(name)
        with entry.reading:
            if entry.array is None:
                array = read()
                if not self.fits(array.nbytes):
                    array = _on_disk(array)
                array.flags.writeable = False
                entry.array = array
                self._forget_oldest(name)
            return entry.array

    def _forget_oldest(self, newest: str) -> None:
        with self._changing:
            sizes = {
                name: entry.array.nbytes
                for name, entry in self._entries.items()
                if entry.array is not None and not isinstance(entry.array, np.memmap)
            }
            total = sum(sizes.values())
            for name, size in sizes.items():
                if total <= self._bytes_at_most:
                    break
                if name != newest:
                    del self._entries[name]
                    total -= size


def _on_disk(array: Bytes) -> Bytes:
    """The array as a memory map of a temporary file, or the array itself if the disk has no space for it."""
    try:
        if array.nbytes > _SHARE_OF_DISK * shutil.disk_usage(tempfile.gettempdir()).free:
            return array
        with tempfile.TemporaryFile() as file:
            file.write(np.ascontiguousarray(array).data)
            file.flush()
            return np.memmap(file, array.dtype, "r", shape=array.shape)
    except OSError:  # the disk is full: the array stays in memory
        return array
