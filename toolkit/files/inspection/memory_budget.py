"""A memory budget that threads share: as many work at once as fit into it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class MemoryBudget:
    """A budget of any unit, for example pixels; a thread waits until the amount that it needs is free.

    An amount larger than the whole budget is cut down to it, so that such work runs alone.
    """

    def __init__(self, size: int) -> None:
        self._size = self._free = size
        self._changed = threading.Condition()

    @contextmanager
    def reserve(self, amount: int) -> Iterator[None]:
        """Hold an amount of the budget while the block runs."""
        amount = min(amount, self._size)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= amount)
            self._free -= amount
        try:
            yield
        finally:
            with self._changed:
                self._free += amount
                self._changed.notify_all()
