"""Images that come from Python as arrays or paths."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from toolkit.core.arrays import Image
from toolkit.errors import DataError
from toolkit.files.image_files import ImageFiles
from toolkit.files.inputs import ArrayImages
from toolkit.files.sources import Images


def as_images(images: Sequence[Image | str | Path], channels: int) -> Images:
    """Images with a number of channels, whose ids are in the order in which they are given.

    Args:
        images: arrays `uint8 (height, width)` or `(height, width, channels)`, or paths of files; not both.
        channels: that networks take; colours become grey and grey is repeated as in files.

    Raises:
        DataError: an array is of another type or shape, or arrays and paths are mixed.
    """
    digits = len(str(len(images)))
    ids = [f"{number:0{digits}d}" for number in range(len(images))]
    arrays = {image_id: image for image_id, image in zip(ids, images, strict=True) if isinstance(image, np.ndarray)}
    if arrays and len(arrays) < len(images):
        raise DataError("arrays and paths of images are mixed", "Give either arrays or paths.")
    if not arrays:
        paths = {image_id: Path(str(image)) for image_id, image in zip(ids, images, strict=True)}
        return ImageFiles("Python", paths, channels)
    return ArrayImages({image_id: _with_channels(array, channels) for image_id, array in arrays.items()})


def _with_channels(array: Image, channels: int) -> Image:
    expected = "expected uint8 (height, width) or (height, width, channels)"
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or 0 in array.shape:
        raise DataError(f"an image is {array.dtype} {array.shape}; {expected}")
    array = array[..., None] if array.ndim == 2 else array
    found = array.shape[2]
    if channels == 3 and found != 3:
        return np.repeat(array[..., :1], 3, axis=2) if found < 3 else np.ascontiguousarray(array[..., :3])
    if channels == 1 and found > 1:
        colours = np.ascontiguousarray(array[..., :3])
        return np.asarray(cv2.cvtColor(colours, cv2.COLOR_RGB2GRAY) if found > 2 else array[..., 0], np.uint8)[
            ..., None
        ]
    if found != channels:
        raise DataError(f"an image has {found} channels, but the networks take {channels}")
    return np.ascontiguousarray(array)
