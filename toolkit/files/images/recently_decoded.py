"""The arrays that were read last, in memory or, large ones, on disk, for those who take part after part of an image."""

import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

_BYTES_AT_MOST = 1 << 28
_PARTS = 8
"""Of the memory: what takes more than one of them is kept on disk."""
_SHARE_OF_DISK = 0.5
"""Of what is free in the folder for temporary files: so much is used."""

Bytes = npt.NDArray[np.uint8]


@dataclass
class _Entry:
    reading: threading.Lock = field(default_factory=threading.Lock)
    array: Bytes | None = None


class RecentArrays:
    """Arrays by name, the last that were asked for, within a number of bytes; the very last one whatever its size.

    Large ones do not count: they lie in temporary files, as long as there is room on the disk, and only the parts that
    are looked at are read. The files have no name and are gone with the process, however that ends.

    Threads may share it: who asks for an array that another thread is reading waits for it.
    """

    def __init__(self, bytes_at_most: int = _BYTES_AT_MOST) -> None:
        self._bytes_at_most = bytes_at_most
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._changing = threading.Lock()

    def get(self, name: str, read: Callable[[], Bytes]) -> Bytes:
        """The array of this name, not to be written to; `read` makes it if it is not here any more."""
        with self._changing:
            entry = self._entries.setdefault(name, _Entry())
            self._entries.move_to_end(name)
        with entry.reading:
            if entry.array is None:
                array = read()
                if array.nbytes > self._bytes_at_most // _PARTS:
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
    """The same in a temporary file, of which only what is looked at is read; as it is where there is no room for it."""
    try:
        if array.nbytes > _SHARE_OF_DISK * shutil.disk_usage(tempfile.gettempdir()).free:
            return array
        with tempfile.TemporaryFile() as file:
            file.write(np.ascontiguousarray(array).data)
            file.flush()
            return np.memmap(file, array.dtype, "r", shape=array.shape)
    except OSError:  # there is less room than it says: then it is decoded again, as often as need be
        return array
