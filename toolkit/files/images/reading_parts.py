"""Files of pixel values that need not be read whole: plain arrays and TIFF."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.files.images.array_files import read_array
from toolkit.files.images.tiff_files import TIFF_SUFFIXES, Box, read_tiff


def read_part(path: Path, box: Box) -> npt.NDArray[Any] | None:
    """A part of a file as it is stored, (height, width) or (height, width, channels); None where the whole is needed.

    Raises:
        OSError, ValueError: the file is truncated or damaged.
    """
    if path.suffix.lower() == ".npy":
        return cut(read_array(path), box)
    if path.suffix.lower() in TIFF_SUFFIXES:
        return read_tiff(path, box)
    return None


def cut(array: npt.NDArray[Any], box: Box) -> npt.NDArray[Any]:
    """A part of (height, width, …), as an array of its own."""
    top, left, height, width = box
    return np.array(array[top : top + height, left : left + width])


def refuse_outside(box: Box, size: tuple[int, int]) -> None:
    """Raise ValueError if a part is not inside an image of (height, width), or empty."""
    top, left, height, width = box
    if min(top, left) < 0 or min(height, width) < 1 or top + height > size[0] or left + width > size[1]:
        raise ValueError(f"the part {height}×{width} at {top}, {left} is not inside an image of {size[0]}×{size[1]}")
