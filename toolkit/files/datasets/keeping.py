"""Whether decoded images are kept in memory, on disk or not at all."""

import statistics
import time
from collections.abc import Callable

from toolkit.config.training.execution import Cache
from toolkit.errors import StorageError
from toolkit.files.datasets.kept_pairs import KeptPairs, Layout, Pair, as_row
from toolkit.files.disk.cache_folder import CacheFolder
from toolkit.files.disk.flat_rows import Bytes, Rows, write_rows
from toolkit.files.disk.free_space import free_memory
from toolkit.messages import Progress

SHARE_OF_MEMORY = 0.4
"""Decoded images take at most this share of the free memory."""
_TRIED = 8
_BYTES_PER_SECOND = 1e9
_SECONDS_AT_LEAST = 1e-4
"""Reading a row from disk takes about this long, or as long as its bytes take."""
_TIMES_SLOWER = 3
"""Decoding is worth avoiding if it takes so many times as long."""


def keep(
    cache: Cache,
    layout: Layout,
    folder: CacheFolder,
    make: Callable[[str], Pair],
    refuse_changed: Callable[[str], None],
    *,
    progress: Progress,
    reserved: int = 0,
) -> KeptPairs | None:
    """Find the place where decoded images are kept; None if they are not. One line says which it is.

    In memory they are filled as they are read. On disk they are all decoded first, unless an earlier run has.

    Args:
        cache: the key of the configuration.
        layout: what is kept.
        folder: of files that can be made again.
        make: decodes the image with a digest, and its labels.
        refuse_changed: raises DataError if what has a digest has changed since; called after `make` for a row on disk.
        progress: shows the work.
        reserved: bytes of memory that other images will take.

    Raises:
        DataError: an image or mask cannot be read, or has changed since it was checked.
    """
    if cache == "off" or not layout.sizes:
        return None
    size = size_text(layout.total)
    if cache in ("auto", "disk"):
        rows = _opened(folder, layout)
        if rows is not None:
            progress.say(f"cache: decoded images are read from {folder.rows(layout.name)} ({size})")
            return KeptPairs(layout, rows)
    allowed = SHARE_OF_MEMORY * free_memory() - reserved
    if cache in ("auto", "memory") and layout.total <= allowed:
        progress.say(f"cache: decoded images are kept in memory ({size})")
        return KeptPairs(layout, Rows.in_memory(layout.bytes_of_rows))
    lacking = f"they would take {size}"
    if cache == "memory":
        usable = size_text(max(0, allowed))
        progress.warn(f"cache: memory: decoded images are not kept: {lacking}, and {usable} may be used")
        return None
    if cache == "auto" and not _is_slow(layout, make):
        progress.say(f"cache: decoded images are not kept: {lacking}, and decoding them is as fast as reading them")
        return None

    def make_row(content: str) -> Bytes:
        row = as_row(make(content))
        refuse_changed(content)  # the digest was found earlier, and later runs rely on it
        return row

    return _on_disk(layout, folder, make_row, progress, lacking)


def _on_disk(
    layout: Layout, folder: CacheFolder, make: Callable[[str], Bytes], progress: Progress, lacking: str
) -> KeptPairs | None:
    path, contents = folder.rows(layout.name), list(layout.sizes)
    try:
        if not folder.make_room(layout.total):
            progress.warn(f"cache: decoded images are not kept: {lacking}, more than {folder.path} has room for")
            return None
        write_rows(
            path,
            layout.name,
            layout.bytes_of_rows,
            lambda row: make(contents[row]),
            progress=progress,
            title="decoding images",
        )
    except StorageError as error:
        progress.warn(f"cache: decoded images are not kept: {error.message}")
        return None
    rows = _opened(folder, layout)
    if rows is None:  # another process has made room for its own file
        progress.warn(f"cache: decoded images are not kept: {path} has been deleted")
        return None
    progress.say(f"cache: decoded images are kept in {path} ({size_text(layout.total)})")
    return KeptPairs(layout, rows)


def _opened(folder: CacheFolder, layout: Layout) -> Rows | None:
    """The rows of an earlier run; using them makes them recently used."""
    path = folder.rows(layout.name)
    rows = Rows.on_disk(path, layout.name, layout.bytes_of_rows)
    if rows is not None:
        folder.used(path)
    return rows


def _is_slow(layout: Layout, make: Callable[[str], Pair]) -> bool:
    """Whether decoding takes much longer than reading a row, by the median of a few images."""
    contents = list(layout.sizes)
    tried = contents[:: max(1, len(contents) // _TRIED)][:_TRIED]
    seconds = []
    for content in tried:
        started = time.perf_counter()
        make(content)
        seconds.append(time.perf_counter() - started)
    row = statistics.mean(layout.bytes_of_rows) / _BYTES_PER_SECOND
    return statistics.median(seconds) > _TIMES_SLOWER * max(row, _SECONDS_AT_LEAST)


def size_text(size: float) -> str:
    """A number of bytes as messages show it: `310 MiB`, `1.2 GiB`."""
    if size < 1 << 20:
        return f"{size / 1024:.0f} KiB"
    return f"{size / 2**20:.0f} MiB" if size < 1 << 30 else f"{size / 2**30:.1f} GiB"
