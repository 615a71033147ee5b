"""DICOM files through pydicom, an optional dependency; nothing in them is executed, no other file is followed."""

import importlib
import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.config.yaml.file_paths import regular

DICOM_SUFFIXES = (".dcm",)
INSTALL = "pip install 'segmentation-toolkit[dicom]'"
_TAGS = ("Rows", "Columns", "NumberOfFrames", "BitsAllocated", "PhotometricInterpretation", "PixelRepresentation",
         "RescaleSlope", "RescaleIntercept", "BitsStored")  # fmt: skip
_READING = threading.RLock()
_GREY, _INVERTED = "MONOCHROME2", "MONOCHROME1"


class DicomError(ValueError):
    """A DICOM file that is not damaged, but cannot be read; the message says why and what to do."""


def dicom_size(path: Path) -> tuple[int, int]:
    """(height, width), from the header alone.

    Raises:
        DicomError: pydicom is not installed, or the file holds several frames or no image.
        OSError, ValueError: the file cannot be opened or is damaged.
    """
    header = _header(path)
    return int(header.Rows), int(header.Columns)


def dicom_depth(path: Path) -> int:
    """The number of bits of a value, from the header alone; raises as `dicom_size`."""
    return int(_header(path).BitsAllocated)


def read_dicom(path: Path) -> npt.NDArray[Any]:
    """The pixels of a file, (height, width), or (height, width, 3) for colours.

    Where the file says that low values are white (MONOCHROME1), values are inverted, as every viewer does. Its rescale
    slope and intercept are applied if they change values; whole numbers stay whole numbers.

    Raises:
        DicomError: as `dicom_size`, or its compression or kind of colours is not supported.
        OSError, ValueError: the file cannot be opened or is damaged.
    """
    header = _header(path)
    kind = str(header.get("PhotometricInterpretation", _GREY))
    if kind == "PALETTE COLOR":
        raise DicomError("has a palette, which is not read; convert it to PNG, for example with dcm2img of DCMTK")
    with _as_value_error():
        try:
            pixels: npt.NDArray[Any] = _pydicom("pydicom.pixels").pixel_array(path)
        except (RuntimeError, NotImplementedError) as error:
            raise DicomError(
                f"has a compression that needs a further package ({error}); try pip install 'pylibjpeg[all]', or "
                "decompress the file, for example with gdcmconv --raw"
            ) from error
    if kind == _INVERTED:
        pixels = _inverted(pixels, int(header.get("BitsStored", 8 * pixels.dtype.itemsize)))
    slope, intercept = float(header.get("RescaleSlope", 1) or 1), float(header.get("RescaleIntercept", 0) or 0)
    if (slope, intercept) == (1, 0):
        return pixels
    scaled = pixels * slope + intercept
    return scaled.astype(np.int32) if slope.is_integer() and intercept.is_integer() else scaled.astype(np.float32)


def _inverted(pixels: npt.NDArray[Any], bits: int) -> npt.NDArray[Any]:
    if pixels.dtype.kind == "u":
        largest = pixels.dtype.type(2**bits - 1)
        return np.asarray(largest - pixels)
    return np.asarray(-1 - pixels)  # two's complement: the lowest value becomes the highest


def _header(path: Path) -> Any:
    with _as_value_error():
        header = _pydicom("pydicom").dcmread(regular(path), stop_before_pixels=True, specific_tags=list(_TAGS))
        if "Rows" not in header or "Columns" not in header:
            raise DicomError("is a DICOM file without an image")
        frames = int(header.get("NumberOfFrames", 1) or 1)
    if frames > 1:
        raise DicomError(
            f"is a DICOM file of {frames} frames; save each frame as a separate file, for example with dcm2img of DCMTK"
        )
    return header


@cache
def _pydicom(name: str) -> Any:
    """A module of pydicom, which is told not to write about the headers that it reads."""
    try:
        module = importlib.import_module(name)
        config = importlib.import_module("pydicom.config")
    except ImportError as error:
        raise DicomError(f"is a DICOM file; pydicom, which reads these, is not installed: {INSTALL}") from error
    config.settings.reading_validation_mode = config.IGNORE
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    return module


@contextmanager
def _as_value_error() -> Iterator[None]:
    """Damaged headers raise errors of many types, and warnings; these files are read or refused, never commented."""
    with _READING, warnings.catch_warnings():  # one at a time, because warning filters belong to the whole process
        warnings.simplefilter("ignore")
        try:
            yield
        except (OSError, ValueError, RuntimeError, NotImplementedError):
            raise
        except Exception as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error
