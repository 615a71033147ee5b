"""A lock that keeps two runs off one experiment."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from toolkit.errors import LockedError
from toolkit.files.disk.writing import writing_to


@contextmanager
def locked(path: Path, wait: float = 0) -> Iterator[None]:
    """Hold a lock file while the block runs; the system releases it when the process ends, however it ends.

    Raises:
        LockedError: another process still holds the lock after `wait` seconds.
        StorageError: the folder of the lock cannot be written.
    """
    lock = FileLock(path, timeout=wait, thread_local=False)
    with writing_to(path):
        try:
            lock.acquire()
        except Timeout as error:
            raise LockedError(
                f"another run is working on {path.parent}",
                "Wait until it ends, or stop it; finished work is kept.",
            ) from error
    try:
        yield
    finally:
        lock.release()
