"""Large arrays chunk by chunk, so that temporary arrays of NumPy, often with 8 bytes a pixel, stay small."""

from collections.abc import Iterator
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Integers

_ENTRIES = 1 << 22

_Kind = TypeVar("_Kind", bound=np.generic)


def chunks(shape: tuple[int, ...]) -> Iterator[slice]:
    """Slices along the first axis that cover an array of this shape in order, each of about 4 million entries."""
    entries = int(np.prod(shape))
    step = max(1, _ENTRIES * shape[0] // entries) if entries else max(1, shape[0])
    for start in range(0, shape[0], step):
        yield slice(start, min(start + step, shape[0]))


def count_values(values: npt.NDArray[Any], length: int) -> Integers:
    """Count the whole numbers 0 … `length` - 1 in an array of any shape: `int64 (length,)`.

    Raises:
        ValueError: the array has other values.
    """
    counts = np.zeros(length, np.int64)
    for chunk in chunks(values.shape):
        counts += np.bincount(values[chunk].ravel(), minlength=length)
    return counts


def look_up(table: npt.NDArray[_Kind], numbers: npt.NDArray[Any]) -> npt.NDArray[_Kind]:
    """`table[numbers]` for a table (k,) and an array of whole numbers of any shape."""
    found = np.empty(numbers.shape, table.dtype)
    for chunk in chunks(numbers.shape):
        found[chunk] = table[numbers[chunk]]
    return found
