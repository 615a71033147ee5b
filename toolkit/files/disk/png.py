"""PNG files."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from toolkit.files.disk.writing import replacing


def png_bytes(pixels: npt.NDArray[Any]) -> bytes:
    """The content of a PNG file.

    Args:
        pixels: `uint8` or `uint16`, (height, width) or (height, width, 3) in the order red, green, blue.
    """
    in_order = pixels[:, :, ::-1] if pixels.ndim == 3 else pixels  # OpenCV expects blue, green, red
    encoded: bytes = cv2.imencode(".png", np.ascontiguousarray(in_order))[1].tobytes()
    return encoded


def write_png(path: Path, pixels: npt.NDArray[Any]) -> None:
    """Write a PNG file of pixels as `png_bytes` takes them.

    Raises:
        StorageError: the file cannot be written.
    """
    with replacing(path) as file:
        file.write(png_bytes(pixels))
