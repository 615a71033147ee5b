"""How much memory and disk is free, for what may be kept there."""

import os
import shutil
from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_CGROUPS = Path("/sys/fs/cgroup")
_LIMITS = (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))
"""Limit and use of a container's memory, of version 2 and version 1 of control groups."""


def free_memory(meminfo: Path = _MEMINFO, cgroups: Path = _CGROUPS) -> int:
    """Bytes of memory that this process can use: what the machine has free, and at most what its container may take.

    Caches of files count as free, because the system gives them up. On systems without /proc, half of the memory.
    """
    free = [_available(meminfo)]
    for limit, used in _LIMITS:
        allowed = _number(cgroups / limit)
        if allowed is not None:
            cached = _field(cgroups / Path(limit).parent / "memory.stat", ("inactive_file", "total_inactive_file"))
            free.append(allowed - (_number(cgroups / used) or 0) + cached)
    return max(0, min(free))


def free_disk(folder: Path) -> int:
    """Bytes that are free where a folder is, or would be made."""
    existing = next(place for place in (folder, *folder.absolute().parents) if place.is_dir())
    return shutil.disk_usage(existing).free


def _available(meminfo: Path) -> int:
    kilobytes = _field(meminfo, ("MemAvailable:",))
    return kilobytes * 1024 if kilobytes else os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def _field(path: Path, names: tuple[str, ...]) -> int:
    """The number behind one of these names in a file of `name number` lines; 0 if there is none."""
    lines = (line.split() for line in path.read_text().splitlines()) if path.is_file() else ()
    return next((int(words[1]) for words in lines if words and words[0] in names), 0)


def _number(path: Path) -> int | None:
    """The number in a file; None if there is no such file, or it says `max`."""
    text = path.read_text().strip() if path.is_file() else ""
    return int(text) if text.isdecimal() else None
