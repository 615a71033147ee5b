"""The arrays that were read last, for those who take one part of an image after the other."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

_BYTES_AT_MOST = 1 << 28

Bytes = npt.NDArray[np.uint8]


@dataclass
class _Entry:
    reading: threading.Lock = field(default_factory=threading.Lock)
    array: Bytes | None = None


class RecentArrays:
    """Arrays by name, the last that were asked for, within a number of bytes; the very last one whatever its size.

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
                array.flags.writeable = False
                entry.array = array
                self._forget_oldest(name)
            return entry.array

    def _forget_oldest(self, newest: str) -> None:
        with self._changing:
            sizes = {name: entry.array.nbytes for name, entry in self._entries.items() if entry.array is not None}
            total = sum(sizes.values())
            for name, size in sizes.items():
                if total <= self._bytes_at_most:
                    break
                if name != newest:
                    del self._entries[name]
                    total -= size
