"""Compressed arrays with few, large areas (labels, objects), unpacked when they are needed."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Packed:
    """The runs of equal values of an array, or all its values where these need less memory."""

    shape: tuple[int, ...]
    values: npt.NDArray[Any]
    lengths: npt.NDArray[np.int32] | None

    def unpack(self) -> npt.NDArray[Any]:
        """The original array."""
        values = self.values if self.lengths is None else np.repeat(self.values, self.lengths)
        return values.reshape(self.shape)


def pack(array: npt.NDArray[Any]) -> Packed:
    """Compress an array of any type and shape to runs of equal values, along its last axis and across rows."""
    flat = array.ravel()
    starts = np.flatnonzero(np.concatenate([np.ones(min(1, flat.size), np.bool_), flat[1:] != flat[:-1]]))
    lengths = np.diff(starts, append=flat.size).astype(np.int32)
    values = flat[starts]
    if values.nbytes + lengths.nbytes >= flat.nbytes:
        return Packed(array.shape, flat.copy(), None)
    return Packed(array.shape, values, lengths)
