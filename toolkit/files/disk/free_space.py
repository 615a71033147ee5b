"""Room for threads that work on large things: as many at once as fit."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Room:
    """So much room, of which threads take a part each, and wait while others have it; one alone may take all.

    What is larger than all of it takes all.
    """

    def __init__(self, size: int) -> None:
        self._size = self._free = size
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, size: int) -> Iterator[None]:
        """Have a part of it in the block."""
        size = min(size, self._size)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= size)
            self._free -= size
        try:
            yield
        finally:
            with self._changed:
                self._free += size
                self._changed.notify_all()
