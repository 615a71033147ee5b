"""Every change of the disk: a function for each, all by way of `attempt`.

So each failure is an error that says what could not be done where, and tests can let any change fail.
"""

import errno
import os
import shutil
from collections.abc import Callable
from functools import partial
from io import BufferedWriter, FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from toolkit.errors import StorageError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

Result = TypeVar("Result")

_NO_LINKS = (errno.EXDEV, errno.EMLINK, errno.EPERM, errno.ENOTSUP, errno.ENOSYS)
"""Why a file cannot have a second name: another disk, too many names, or a file system without such names."""


def attempt(what: str, path: Path, change: Callable[[], Result]) -> Result:
    """Make one change of the disk.

    Args:
        what: the verb for messages: write, rename, delete or make the folder.
        path: what is changed.
        change: makes the change.

    Raises:
        StorageError: the change failed.
    """
    try:
        return perform(what, change)
    except OSError as error:
        raise StorageError(
            f"cannot {what} {path}: {error.strerror or error}", "Free some space or check the permissions."
        ) from error


def perform(what: str, change: Callable[[], Result]) -> Result:
    """Make a change. Tests put a function in its place that fails now and then."""
    return change()


class NewFile(FileIO):
    """A file that is written from its beginning, or with the mode `a` at its end. Messages call it `shown`."""

    def __init__(self, path: Path, shown: Path, mode: Literal["w", "a"] = "w") -> None:
        attempt("write", shown, partial(super().__init__, path, mode))
        self._shown = shown

    def write(self, content: "ReadableBuffer", /) -> int:
        """Write bytes; returns how many."""
        return attempt("write", self._shown, partial(super().write, content))


def open_new(path: Path, shown: Path | None = None) -> BufferedWriter:
    """Open a file for writing from its beginning; an existing one is emptied. Messages call it `shown`."""
    return BufferedWriter(NewFile(path, shown or path))


def open_end(path: Path, shown: Path | None = None) -> BufferedWriter:
    """Open a file for writing at its end; it is made if it does not exist. Messages call it `shown`."""
    return BufferedWriter(NewFile(path, shown or path, "a"))


def sync(path: Path, shown: Path | None = None) -> None:
    """Force a file or folder, which messages call `shown`, to disk."""
    attempt("write", shown or path, partial(_sync, path))


def rename(path: Path, target: Path, shown: Path | None = None) -> None:
    """Give a file or folder, which messages call `shown`, another name; a file of that name is replaced."""
    attempt("write" if shown else "rename", shown or path, partial(path.replace, target))


def link(path: Path, target: Path) -> bool:
    """Give a file a second, new name (a hard link); returns False where the file system cannot."""

    def change() -> bool:
        try:
            os.link(path, target)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            return False
        return True

    return attempt("write", target, change)


def protect(path: Path) -> None:
    """Take away the right to write a file; it can still be replaced and deleted."""
    attempt("write", path, partial(path.chmod, 0o444))


def delete(path: Path) -> None:
    """Delete a file, if it exists."""
    attempt("delete", path, partial(path.unlink, missing_ok=True))


def delete_folder(path: Path) -> None:
    """Delete a folder with all that it holds, if it exists."""
    if path.is_dir():
        attempt("delete", path, partial(shutil.rmtree, path))


def make_folder(path: Path) -> None:
    """Make a folder and those above it, unless they exist."""
    there = next((one for one in (path, *path.parents) if one.exists()), None)
    if there is not None and not there.is_dir():
        raise StorageError(f"cannot make the folder {path}: {there} is a file", "Rename or delete that file.")
    if there != path:
        attempt("make the folder", path, partial(path.mkdir, parents=True, exist_ok=True))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
