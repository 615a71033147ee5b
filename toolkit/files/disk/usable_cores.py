"""How many processor cores this process may use."""

import os
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")


def usable_cores(cgroups: Path = _CGROUPS) -> int:
    """The processor cores that this process may use; a container may be limited to fewer than the machine has."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, period = _quota(cgroups)
    return cores if quota <= 0 else max(1, min(cores, round(quota / period)))


def _quota(cgroups: Path) -> tuple[int, int]:
    """Processor time that a container may take in a period, of version 2 or 1 of control groups; none where 0 or less.

    Both are in microseconds.
    """
    both, quota, period = (cgroups / name for name in ("cpu.max", "cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"))
    if both.is_file():
        words = both.read_text().split()
    else:
        words = [path.read_text().strip() for path in (quota, period) if path.is_file()]
    if len(words) != 2 or words[0] == "max":
        return 0, 1
    return int(words[0]), int(words[1])
