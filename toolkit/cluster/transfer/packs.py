"""Files as packs of bounded size: many small files in one, large ones in pieces, all with digests."""

import hashlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from toolkit.config.yaml.file_paths import regular
from toolkit.errors import ChangedError, StorageError
from toolkit.files.disk.digests import content_address
from toolkit.messages import Progress

PACK_BYTES = 64 << 20
"""The content of a pack takes at most this much."""


@dataclass(frozen=True)
class Piece:
    """A file of a pack, or a part of it.

    Attributes:
        digest: the SHA-256 of the whole file, 64 hexadecimal digits.
        size: of the whole file, in bytes.
        offset: of the piece in the file.
        length: of the piece.
        sum: the SHA-256 of the piece.
    """

    digest: str
    size: int
    offset: int
    length: int
    sum: str


@dataclass(frozen=True)
class Pack:
    """Pieces, and their content one after the other."""

    pieces: tuple[Piece, ...]
    content: bytes

    def parts(self) -> Iterator[tuple[Piece, memoryview]]:
        """Each piece with its content, which is checked.

        Raises:
            StorageError: the content of a piece is not what was packed.
        """
        start = 0
        for piece in self.pieces:
            part = memoryview(self.content)[start : start + piece.length]
            start += piece.length
            if len(part) != piece.length or hashlib.sha256(part).hexdigest() != piece.sum:
                raise StorageError(
                    f"{piece.length} bytes of the file {piece.digest[:12]}… arrived damaged from another machine",
                    "Run the command again; if it happens again, check network and memory of both machines.",
                )
            yield piece, part


def digests_of(files: Mapping[str, Path], progress: Progress, title: str) -> dict[str, str]:
    """The SHA-256 of each file, under the same names; they are read by threads, each file once."""
    paths = list(dict.fromkeys(files.values()))
    found = {}
    with ThreadPoolExecutor() as pool, progress.task(title, len(paths)) as task:
        for path, digest in zip(paths, pool.map(content_address, paths), strict=True):
            found[path] = digest
            task.advance()
    return {name: found[path] for name, path in files.items()}


def packs(sources: Mapping[str, Path], at_most_bytes: int = PACK_BYTES) -> Iterator[Pack]:
    """Pack files, one after the other; a file that is larger than a pack fills several, which follow each other.

    Args:
        sources: the file of each digest (SHA-256).
        at_most_bytes: that the content of a pack takes.

    Raises:
        ChangedError: a file does not have its digest.
    """
    pieces: list[Piece] = []
    contents: list[bytes] = []
    filled = 0
    for digest, path in sources.items():
        for piece, content in _pieces(digest, path, at_most_bytes):
            if filled + len(content) > at_most_bytes:
                yield Pack(tuple(pieces), b"".join(contents))
                pieces, contents, filled = [], [], 0
            pieces.append(piece)
            contents.append(content)
            filled += len(content)
            del content
    if pieces:
        yield Pack(tuple(pieces), b"".join(contents))


def _pieces(digest: str, path: Path, at_most_bytes: int) -> Iterator[tuple[Piece, bytes]]:
    whole = hashlib.sha256()
    with regular(path).open("rb") as file:
        size = path.stat().st_size
        for offset in range(0, max(size, 1), at_most_bytes):
            content = file.read(min(at_most_bytes, size - offset))
            whole.update(content)
            is_last = offset + len(content) == size
            if len(content) < min(at_most_bytes, size - offset) or (is_last and whole.hexdigest() != digest):
                raise ChangedError(
                    f"{path} has changed since the files to send were listed",
                    "Run the command again, and do not change files while it runs.",
                )
            yield Piece(digest, size, offset, len(content), hashlib.sha256(content).hexdigest()), content
