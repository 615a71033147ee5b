"""How many processes read training images."""

from typing import Literal

from toolkit.files.disk.usable_cores import usable_cores

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
