"""Probability maps that lie in a file of their own until they are needed, because memory is for other things."""

import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from toolkit.core.arrays import Probability
from toolkit.core.images.chunks import chunks
from toolkit.files.disk.writing import writing_to


class SpilledMap:
    """A map that is written row by row and read chunk by chunk, `float32 (height, width, classes)`, 0–1.

    The file has no name: it is gone with the process, however that ends.
    """

    def __init__(self, folder: Path, shape: tuple[int, int, int]) -> None:
        """Make the file in a folder that is there.

        Raises:
            StorageError: it cannot be written.
        """
        self.shape = shape
        self._folder = folder
        with writing_to(folder):
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 # open as long as the map is needed
        weakref.finalize(self, self._file.close)

    def append(self, rows: Probability) -> None:
        """Add the next rows; raises StorageError if the disk is full."""
        with writing_to(self._folder):
            self._file.seek(0, 2)
            self._file.write(np.ascontiguousarray(rows, np.float32).data)

    def parts(self) -> Iterator[Probability]:
        """The rows again, some at a time."""
        row = self.shape[1] * self.shape[2] * np.dtype(np.float32).itemsize
        for rows in chunks(self.shape):
            self._file.seek(rows.start * row)
            values = np.frombuffer(self._file.read((rows.stop - rows.start) * row), np.float32)
            yield values.reshape(-1, *self.shape[1:])
