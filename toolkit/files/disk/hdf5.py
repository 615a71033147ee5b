"""HDF5 files, written whole or not at all."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from toolkit.files.disk.writing import replacing


@contextmanager
def new_hdf5(path: Path) -> Iterator[h5py.File]:
    """Fill an HDF5 file that replaces `path` when the block succeeds.

    It is built in memory: on a full disk, the HDF5 library crashes the process.

    Raises:
        StorageError: the disk is full or cannot be written.
    """
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        yield file
    with replacing(path) as written:
        written.write(content.getbuffer())
