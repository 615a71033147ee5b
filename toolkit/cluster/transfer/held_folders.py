"""Folders that belong to a process as long as it lives; what a killed process leaves is deleted by the next one."""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from toolkit.errors import LockedError
from toolkit.files.disk.changes import delete_folder, make_folder
from toolkit.files.disk.locks import locked

_LOCK = ".held"


@contextmanager
def held_folder(parent: Path) -> Iterator[Path]:
    """A new folder in `parent` that this process holds, and that is deleted when the block ends.

    Raises:
        StorageError: the folder cannot be made.
    """
    folder, lock = parent / secrets.token_hex(8), ExitStack()
    make_folder(parent)
    with locked(parent / _LOCK, wait=-1):  # so that nobody takes the folder for a dead one before it is locked
        _delete_dead(parent)
        make_folder(folder)
        lock.enter_context(locked(folder / _LOCK))
    try:
        yield folder
    finally:
        with locked(parent / _LOCK, wait=-1):
            lock.close()
            delete_folder(folder)


def folders_held(parent: Path) -> list[Path]:
    """The folders in `parent` that living processes hold; the others are deleted."""
    if not parent.is_dir():
        return []
    with locked(parent / _LOCK, wait=-1):
        return _delete_dead(parent)


def _delete_dead(parent: Path) -> list[Path]:
    """Delete the folders that no process holds, and return the others; the caller holds the lock of `parent`."""
    living = []
    for folder in sorted(path for path in parent.iterdir() if path.is_dir()):
        try:
            with locked(folder / _LOCK):
                delete_folder(folder)
        except LockedError:
            living.append(folder)
    return living
