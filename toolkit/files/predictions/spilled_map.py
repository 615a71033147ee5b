"""Probability maps that are kept in a temporary file instead of in memory."""

import tempfile
import weakref
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from toolkit.core.arrays import Probability
from toolkit.core.images.chunks import chunks
from toolkit.files.disk.changes import attempt


class SpilledMap:
    """A map that is written row by row and read chunk by chunk, `float32 (height, width, classes)`, 0–1.

    The file has no name and disappears when the process ends, however it ends.
    """

    def __init__(self, folder: Path, shape: tuple[int, int, int]) -> None:
        """Create the file in an existing folder.

        Raises:
            StorageError: the folder cannot be written.
        """
        self.shape = shape
        self._folder = folder
        self._file = attempt("write", folder, lambda: tempfile.TemporaryFile(dir=folder))  # noqa: SIM115 # it stays open as long as the map exists
        weakref.finalize(self, self._file.close)

    def append(self, rows: Probability) -> None:
        """Add the next rows, `(rows, width, classes)`; raises StorageError if the disk is full."""
        self._file.seek(0, 2)
        attempt("write", self._folder, partial(self._file.write, np.ascontiguousarray(rows, np.float32).data))

    def chunks(self) -> Iterator[Probability]:
        """Read the rows, a chunk at a time."""
        row = self.shape[1] * self.shape[2] * np.dtype(np.float32).itemsize
        for rows in chunks(self.shape):
            self._file.seek(rows.start * row)
            values = np.frombuffer(self._file.read((rows.stop - rows.start) * row), np.float32)
            yield values.reshape(-1, *self.shape[1:])
