"""Atomic writes: a file is written under a temporary name, synced and renamed."""

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from toolkit.errors import StorageError
from toolkit.files.disk.changes import delete, delete_folder, make_folder, open_new, rename, sync

UNFINISHED = re.compile(r"\.\d+\.[0-9a-f]{8}\.")
"""The start of the temporary name of a file that is being written."""


@contextmanager
def writing_to(path: Path) -> Iterator[None]:
    """Turn an OSError of the block (for example a full disk) into an error for the user.

    Raises:
        StorageError: the block raised an OSError.
    """
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"cannot write {path}: {error.strerror or error}", "Free some space or check the permissions."
        ) from error


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a new file that replaces `path` when the block succeeds; if the block fails, nothing changes.

    Raises:
        StorageError: the disk is full or cannot be written.
    """
    with new_path(path) as temporary, open_new(temporary, path) as file:
        yield file


@contextmanager
def new_path(path: Path) -> Iterator[Path]:
    """Like `replacing`, but gives a path instead of an open file; the path has the file's extension."""
    temporary = unfinished_name(path)
    try:
        make_folder(path.parent)
        with writing_to(path):
            yield temporary
        sync(temporary, path)
        rename(temporary, path, path)
        sync(path.parent)
    finally:
        # If the folder cannot be made or written, there is no file to delete; otherwise the next run deletes it.
        with suppress(StorageError):
            delete(temporary)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Make a folder that gets its name, in place of an older one, when the block succeeds; otherwise nothing changes.

    What killed processes have left beside it is deleted. The caller ensures that no other process makes this folder.

    Raises:
        StorageError: the disk is full or cannot be written.
    """
    make_folder(path.parent)
    for left in path.parent.glob(".*"):
        if left.is_dir() and UNFINISHED.match(left.name) and UNFINISHED.sub("", left.name, count=1) == path.name:
            delete_folder(left)
    temporary, older = unfinished_name(path), unfinished_name(path)
    try:
        make_folder(temporary)
        with writing_to(path):
            yield temporary
        for made in sorted(temporary.rglob("*")):
            sync(made, path)
        sync(temporary, path)
        if path.is_dir():
            rename(path, older, path)
        rename(temporary, path, path)
        sync(path.parent)
    finally:
        for folder in (temporary, older):
            with suppress(StorageError):
                delete_folder(folder)


def unfinished_name(path: Path) -> Path:
    """A new temporary name for a file while it is being written."""
    # Not the number of the process alone: threads have the same one, and so may processes of two containers.
    return path.with_name(f".{os.getpid()}.{secrets.token_hex(4)}.{path.name}")


def remove_unfinished(folder: Path) -> None:
    """Delete the unfinished files in a folder and below that killed processes have left.

    The caller ensures that no other process is writing there.
    """
    for path in folder.rglob(".*"):
        if UNFINISHED.match(path.name) and path.is_file():
            delete(path)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file with plain newlines."""
    with replacing(path) as file:
        file.write(text.encode())
