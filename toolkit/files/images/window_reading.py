"""Files of pixel values that need not be read whole: plain arrays and TIFF."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.core.images.windows import Window
from toolkit.files.images.array_files import read_array
from toolkit.files.images.tiff_files import TIFF_SUFFIXES, read_tiff


def read_file_window(path: Path, window: Window) -> npt.NDArray[Any] | None:
    """The stored pixels in a window of a file, (height, width) or (height, width, channels).

    None if the file has to be read whole.

    Raises:
        OSError, ValueError: the file is truncated or damaged.
    """
    if path.suffix.lower() == ".npy":
        return cut(read_array(path), window)
    if path.suffix.lower() in TIFF_SUFFIXES:
        return read_tiff(path, window)
    return None


def cut(array: npt.NDArray[Any], window: Window) -> npt.NDArray[Any]:
    """A copy of the values of an array (height, width, …) in a window."""
    return np.array(array[window.top : window.bottom, window.left : window.right])


def refuse_outside(window: Window, size: tuple[int, int]) -> None:
    """Check that a window has pixels and lies inside an image of (height, width).

    Raises:
        ValueError: it does not.
    """
    top, left, height, width = window.top, window.left, window.height, window.width
    if min(top, left) < 0 or min(height, width) < 1 or window.bottom > size[0] or window.right > size[1]:
        raise ValueError(f"the window {height}×{width} at {top}, {left} is not inside an image of {size[0]}×{size[1]}")
