"""Digests by which stale results are recognised."""

import hashlib
from collections.abc import Iterable
from pathlib import Path


def digest(*contents: bytes | memoryview) -> str:
    """32 hexadecimal digits of BLAKE2b of contents, those of arrays (C-contiguous) among them, one after the other."""
    found = hashlib.blake2b(digest_size=16)
    for content in contents:
        found.update(content)
    return found.hexdigest()


def file_digest(path: Path) -> str:
    """Digest of a file's content, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def ids_digest(ids: Iterable[str]) -> str:
    """A digest of a set of ids, whatever their order."""
    return digest("\n".join(sorted(ids)).encode())
