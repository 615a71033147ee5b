"""Digests that identify the contents that results were made from."""

import hashlib
import time
from collections.abc import Iterable
from pathlib import Path

from toolkit.config.yaml.file_paths import regular

_SETTLED_AFTER = 2.0
"""Seconds after which a change of a file also changes its times."""


def digest(*contents: bytes | memoryview) -> str:
    """BLAKE2b of the concatenated contents (bytes or C-contiguous arrays), as 32 hexadecimal digits."""
    found = hashlib.blake2b(digest_size=16)
    for content in contents:
        found.update(content)
    return found.hexdigest()


def file_digest(path: Path) -> str:
    """The digest of a file's content; the file is not loaded as a whole."""
    with regular(path).open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def content_address(path: Path) -> str:
    """The SHA-256 of a file's content, as 64 hexadecimal digits; the file is not loaded as a whole."""
    with regular(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_stamp(path: Path) -> bytes | None:
    """What changes whenever a file is written: its size, times of change and inode.

    None if the file was written just now: it may be written again without a change of its times, whose steps are coarse
    on some file systems. None also if there is no such file.
    """
    try:
        found = path.stat()
    except OSError:
        return None
    if max(found.st_mtime, found.st_ctime) > time.time() - _SETTLED_AFTER:
        return None
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {found.st_ino}".encode()


def joined_stamps(*stamps: bytes | None) -> bytes | None:
    """One stamp for several things; None if any of them has none."""
    known = [stamp for stamp in stamps if stamp is not None]
    return b"\0".join(known) if len(known) == len(stamps) else None


def ids_digest(ids: Iterable[str]) -> str:
    """A digest of a set of ids that does not depend on their order."""
    return digest("\n".join(sorted(ids)).encode())
