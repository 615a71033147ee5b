"""Files that appear whole or not at all: written beside their place, synced and renamed."""

import json
import math
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from toolkit.errors import StorageError

UNFINISHED = re.compile(r"\.\d+\.")
"""What the name of a file begins with that is being written."""


@contextmanager
def writing_to(path: Path) -> Iterator[None]:
    """Make what the system says about a full or unwritable disk an error that a user can mend.

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
    """Open a new file that takes the place of `path` when the block ends well; otherwise nothing changes.

    Raises:
        StorageError: the disk is full or cannot be written.
    """
    with new_path(path) as temporary, temporary.open("wb") as file:
        yield file


@contextmanager
def new_path(path: Path) -> Iterator[Path]:
    """Like `replacing`, for writers that want a path instead of an open file; the path keeps the file's endings."""
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        with writing_to(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            sync(temporary)
            temporary.replace(path)
            sync(path.parent)
    finally:
        # Where the folder cannot be made or written, there is nothing to remove.
        with suppress(OSError):
            temporary.unlink()


def remove_unfinished(folder: Path) -> None:
    """Delete what processes that were killed while they wrote have left in a folder and below.

    Nobody else may be writing there.
    """
    for path in folder.rglob(".*"):
        if UNFINISHED.match(path.name) and path.is_file():
            path.unlink()


def sync(path: Path) -> None:
    """Make sure that a file or folder has reached the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file with plain newlines."""
    with replacing(path) as file:
        file.write(text.encode())


def write_json(path: Path, tree: Any) -> None:
    """Write indented JSON; numbers that are not finite are refused, because JSON has none."""
    write_text(path, json.dumps(tree, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def finite_or_none(number: float) -> float | None:
    """JSON has no NaN: a score that does not exist is null."""
    return number if math.isfinite(number) else None


def read_json(path: Path) -> Any:
    """Read a JSON file of our own.

    Raises:
        StorageError: it is damaged.
    """
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise StorageError(
            f"{path} is damaged: {error}", "Delete it and run the command that made it again."
        ) from error
