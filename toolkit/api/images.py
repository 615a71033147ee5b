"""Images given in Python as arrays or paths, and those of a folder that could not be predicted."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Image
from toolkit.core.images.value_range import ValueRange, to_bytes, with_channels
from toolkit.errors import DataError, MissingFileError, counted, listing
from toolkit.files.data.sources import Images
from toolkit.files.datasets.images_to_predict import ArrayImages, beside_each_other, read_as
from toolkit.files.experiment.fitted import Networks

_LISTED = 5
_SEVERAL = "For an array of several images pass a list of them: list(images)."


def as_images(images: Sequence[npt.NDArray[Any] | str | Path], networks: Networks) -> Images:
    """Images for prediction; their sorted ids have the given order.

    Args:
        images: arrays (height, width) or (height, width, channels), or paths of files; not both.
        networks: the networks that predict; they define the channels and the value range.

    Raises:
        MissingFileError: there is no such file.
        DataError: an array has an unsupported type or shape, arrays and paths are mixed, or an image is neither.
    """
    for image in images:
        if not isinstance(image, np.ndarray | str | Path):
            raise DataError(
                f"an image has the type {type(image).__name__}; expected a NumPy array or the path of a file",
                "Put several images in a list.",
            )
    channels, ranges = networks.config.shape[2], networks.config.data.ranges
    digits = len(str(len(images)))
    ids = [f"{number:0{digits}d}" for number in range(len(images))]
    arrays = {image_id: image for image_id, image in zip(ids, images, strict=True) if isinstance(image, np.ndarray)}
    if arrays and len(arrays) < len(images):
        raise DataError("arrays and paths of images are mixed", "Give either arrays or paths.")
    if not arrays:
        paths = {image_id: Path(str(image)) for image_id, image in zip(ids, images, strict=True)}
        missing = [str(path) for path in paths.values() if not path.is_file()]
        if missing:
            raise MissingFileError(
                f"images: there is no file {listing(missing)}",
                f"The working folder is {Path.cwd()}; for a whole folder use predict_to or predict_in_directory.",
            )
        slices = read_as(networks, [("Python", paths)])
        return beside_each_other(slices, paths, networks, "images")
    return ArrayImages({image_id: _image(array, channels, ranges) for image_id, array in arrays.items()})


def _image(array: npt.NDArray[Any], channels: int, ranges: Sequence[ValueRange]) -> Image:
    if array.ndim not in (2, 3) or not array.size:
        raise DataError(
            f"an image has the shape {array.shape}; expected (height, width) or (height, width, channels)", _SEVERAL
        )
    try:
        return with_channels(to_bytes(array, ranges), channels)
    except ValueError as error:
        raise DataError(f"an image of shape {array.shape} {error}", _SEVERAL if array.ndim == 3 else "") from error


def refuse_failures(failures: Mapping[str, str], count: int, directory: Path) -> None:
    """Report the files of a folder that could not be predicted, each with its reason; `count` is that of all files.

    Raises:
        DataError: there are any.
    """
    if not failures:
        return
    shown = "\n".join(f"  {file}: {reason}" for file, reason in list(failures.items())[:_LISTED])
    more = f"\n  … and {len(failures) - _LISTED} more" if len(failures) > _LISTED else ""
    which = f"{len(failures)} of {counted(count, 'image')} of {directory}"
    raise DataError(
        f"{which} could not be predicted; all others were:\n{shown}{more}",
        "Fix or remove these files.",
    )
