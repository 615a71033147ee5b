"""How many processes read training images."""

import os
from pathlib import Path
from typing import Literal

_CGROUPS = Path("/sys/fs/cgroup")
_FEWEST_CORES = 4
_MOST_WORKERS = 16


def worker_count(wanted: Literal["auto"] | int, *, has_gpu: bool, cores: int | None = None) -> int:
    """The number of processes; 0 for threads of the process that trains.

    `auto` is 0 without a GPU, because training needs the cores itself, and with fewer than four cores. Otherwise it is
    a process for each core but one, which feeds the GPU, and at most 16.

    Args:
        wanted: the key `workers` of the configuration.
        has_gpu: whether a GPU trains.
        cores: that this process may use; those of the machine or its container if None.
    """
    if wanted != "auto":
        return wanted
    cores = usable_cores() if cores is None else cores
    return min(cores - 1, _MOST_WORKERS) if has_gpu and cores >= _FEWEST_CORES else 0


def usable_cores(cgroups: Path = _CGROUPS) -> int:
    """The processor cores that this process may use; a container may be limited to fewer than the machine has."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = cgroups / "cpu.max"
    quota, _, period = limit.read_text().partition(" ") if limit.is_file() else ("max", "", "")
    return cores if quota == "max" else max(1, min(cores, round(int(quota) / int(period))))
