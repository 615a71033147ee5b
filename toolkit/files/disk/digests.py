"""Digests that identify the contents that results were made from."""

import hashlib
from collections.abc import Iterable
from pathlib import Path


def digest(*contents: bytes | memoryview) -> str:
    """BLAKE2b of the concatenated contents (bytes or C-contiguous arrays), as 32 hexadecimal digits."""
    found = hashlib.blake2b(digest_size=16)
    for content in contents:
        found.update(content)
    return found.hexdigest()


def file_digest(path: Path) -> str:
    """The digest of a file's content; the file is not loaded as a whole."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def ids_digest(ids: Iterable[str]) -> str:
    """A digest of a set of ids that does not depend on their order."""
    return digest("\n".join(sorted(ids)).encode())
