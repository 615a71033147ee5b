"""Decodes image and mask files, with the checks that decoders omit."""

import threading
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt
from PIL import ExifTags, UnidentifiedImageError
from PIL import Image as PillowImage

from toolkit.config.yaml.file_paths import regular
from toolkit.core.arrays import Image
from toolkit.core.images.value_range import UnknownRangeError, ValueRange, largest_channel, to_bytes, with_channels
from toolkit.core.images.windows import Window
from toolkit.errors import DataError
from toolkit.files.images.array_files import (
    ARRAY_SUFFIXES,
    MOST_DEFLATED,
    ArrayShapeError,
    array_depth,
    array_size,
    read_array,
)
from toolkit.files.images.dicom_files import DICOM_SUFFIXES, DicomError, dicom_depth, dicom_size, read_dicom
from toolkit.files.images.tiff_files import TIFF_SUFFIXES, has_pages, read_tiff, tiff_depth, tiff_size
from toolkit.files.images.window_reading import read_file_window

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".npy", ".npz", ".dcm")
MASK_SUFFIXES = (".png", ".tif", ".tiff", ".bmp", ".gif", ".npy", ".npz")
LOSSY_SUFFIXES = (".jpg", ".jpeg", ".webp")
IMAGE_ARRAYS, MASK_ARRAYS = ("image", "images"), ("mask", "masks", "label", "labels")
"""Names of the array to read from a .npz file that holds several."""

_Read = TypeVar("_Read")
_OPENING = threading.Lock()
_PIXELS_AT_MOST = 400_000_000
_SIDE_AT_MOST = 1_000_000
_NO_IMAGE = "is not an image, is truncated, or is of an unsupported kind"
REPAIR = "Repair or remove this file, then run the command again."
"""The advice about a file that cannot be decoded."""
_OF_ARRAYS = "Name other files (data.image_name, data.mask_name), or save one array (height, width) for each image."
_OF_DICOM = "See docs/data.md for DICOM files."
_SEVERAL_PAGES = "is a TIFF file with several pages; tk pages FILE --out FOLDER writes each into a file of its own"
# Pillow's limit is meant for web servers; microscope images exceed it.
PillowImage.MAX_IMAGE_PIXELS = None


class UnreadableImageError(DataError):
    """An image file that cannot be decoded completely; the message has its path and the reason."""

    def __init__(self, path: Path | str, why: str, advice: str = REPAIR) -> None:
        super().__init__(f"{path} {why}", advice)


def image_id_of(name: str) -> str:
    """The image id in a file name or in a cell of a submission: the text without the extension of an image file."""
    stem, dot, suffix = name.rpartition(".")
    return stem if dot and f".{suffix.lower()}" in IMAGE_SUFFIXES else name


def read_size(path: Path, arrays: tuple[str, ...] = IMAGE_ARRAYS) -> tuple[int, int]:
    """(height, width) from the header alone; `arrays` as for `read_stored`."""
    size = _plain_size(path, arrays)
    if size is not None:
        return size
    try:
        with open_header(path) as image:
            return image.height, image.width
    except UnidentifiedImageError:
        height, width = _decode_with_opencv(path).shape[:2]
        return height, width


def read_image(
    path: Path, channels: int | None = 3, ranges: Sequence[ValueRange] = (), planes: Sequence[int] = ()
) -> Image:
    """Read an image as `uint8 (height, width, channels)`.

    Orientation tags are not applied, because masks are drawn on the pixels as they are stored.

    Args:
        path: of the file.
        channels: 3 repeats grey and drops an alpha channel; 1 converts colours to grey; any other number must be that
            of the file; None keeps the channels of the file.
        ranges: of values of more than 8 bits, see `to_bytes`.
        planes: the channels of the file to take, see `chosen_planes`; all by default.

    Raises:
        UnreadableImageError: the file is not an image, truncated, damaged or too large, or its pixel type or number of
            channels is not supported.
    """
    stored = read_stored(path, whole_depth=bool(ranges))
    return _converted(chosen_planes(stored, planes, path), channels, ranges, path)


def read_image_window(
    path: Path,
    channels: int | None,
    window: Window,
    ranges: Sequence[ValueRange] = (),
    planes: Sequence[int] = (),
) -> Image | None:
    """The window of what `read_image` gives, without reading the rest; None if the file has to be read whole.

    Raises:
        UnreadableImageError: as `read_image`.
    """
    pixels = _checked(path, lambda: read_file_window(path, window))
    return None if pixels is None else _converted(chosen_planes(pixels, planes, path), channels, ranges, path)


def read_stored_window(path: Path, window: Window) -> npt.NDArray[Any] | None:
    """The window of what `read_stored` gives, without reading the rest; None if the file has to be read whole.

    Raises:
        UnreadableImageError: as `read_image`.
    """
    return _checked(path, lambda: read_file_window(path, window))


def read_mask_values(path: Path) -> npt.NDArray[Any]:
    """Read the pixel values of a mask file: palette indices, or the largest value of all channels except alpha.

    Returns:
        whole numbers or bool, (height, width).

    Raises:
        UnreadableImageError: as `read_image`.
    """
    return largest_channel(read_stored(path, palette_as_index=True, arrays=MASK_ARRAYS))


def read_stored(
    path: Path,
    *,
    palette_as_index: bool = False,
    whole_depth: bool = False,
    arrays: tuple[str, ...] = IMAGE_ARRAYS,
) -> npt.NDArray[Any]:
    """The pixels of a file as they are stored, (height, width) or (height, width, channels).

    Args:
        path: of the file.
        palette_as_index: return the indices of a palette image instead of its colours.
        whole_depth: keep 16 bits of colours in PNG files, which are otherwise reduced to 8.
        arrays: names of the array to read, if a .npz file holds several.

    Raises:
        UnreadableImageError: the file is not an image, truncated, damaged or too large.
    """
    if path.suffix.lower() in ARRAY_SUFFIXES:
        _plain_size(path, arrays)
        return _checked(path, lambda: np.asarray(read_array(path, arrays)))
    if path.suffix.lower() in DICOM_SUFFIXES:
        _plain_size(path, arrays)
        return _checked(path, lambda: read_dicom(path))
    # Pillow reads some TIFF files (16-bit planes) wrongly and without an error.
    values = None if _plain_size(path, arrays) is None else _checked(path, lambda: read_tiff(path))
    return _decode(path, palette_as_index, whole_depth) if values is None else values


def chosen_planes(stored: npt.NDArray[Any], planes: Sequence[int], path: Path) -> npt.NDArray[Any]:
    """Some channels of stored pixels, counted from 0, (height, width, channels); all of them if `planes` is empty.

    Raises:
        UnreadableImageError: the file has fewer channels.
    """
    if not planes:
        return stored
    pixels = stored[:, :, None] if stored.ndim == 2 else stored
    if max(planes) >= pixels.shape[2]:
        raise UnreadableImageError(
            path,
            f"has the channels 0 to {pixels.shape[2] - 1}; planes asks for {max(planes)}",
            "Correct data.planes, which counts from 0, or leave it out to use all channels.",
        )
    return pixels[:, :, list(planes)]


def stored_depth(path: Path) -> int:
    """The number of bits of a value of an image, from the header alone; 8 if the file does not say."""
    if path.suffix.lower() in ARRAY_SUFFIXES:
        return _checked(path, lambda: array_depth(path, IMAGE_ARRAYS))
    if path.suffix.lower() in TIFF_SUFFIXES:
        return _checked(path, lambda: tiff_depth(path)) or 8
    if path.suffix.lower() in DICOM_SUFFIXES:
        return _checked(path, lambda: dicom_depth(path))
    return _checked(path, lambda: _png_depth(path)) if path.suffix.lower() == ".png" else 8


def stored_channels(path: Path) -> int:
    """The number of channels of a file; raises as `read_stored`."""
    stored = read_stored(path)
    return 1 if stored.ndim == 2 else stored.shape[2]


def orientation_of(path: Path) -> int:
    """The orientation tag of an image, 1 to 8; 1 (shown as stored) if there is none."""
    if path.suffix.lower() in (*ARRAY_SUFFIXES, *TIFF_SUFFIXES, *DICOM_SUFFIXES):
        return 1
    try:
        with open_header(path) as image:
            return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except (UnidentifiedImageError, TypeError, ValueError):
        return 1


def _converted(pixels: npt.NDArray[Any], channels: int | None, ranges: Sequence[ValueRange], path: Path) -> Image:
    try:
        return with_channels(to_bytes(pixels, ranges), channels)
    except UnknownRangeError as error:
        raise UnreadableImageError(path, str(error), "See docs/data.md for images of more than 8 bits.") from error
    except ValueError as error:
        raise UnreadableImageError(path, str(error)) from error


def _checked(path: Path, read: Callable[[], _Read]) -> _Read:
    """Call `read`; its errors become UnreadableImageError with the path."""
    try:
        return read()
    except FileNotFoundError as error:
        raise UnreadableImageError(path, f"cannot be opened ({_reason(error)})") from error
    except ArrayShapeError as error:
        raise UnreadableImageError(path, str(error), _OF_ARRAYS) from error
    except DicomError as error:
        raise UnreadableImageError(path, str(error), _OF_DICOM) from error
    except (OSError, ValueError, EOFError) as error:
        raise UnreadableImageError(path, f"is truncated or damaged ({_reason(error)})") from error


def _reason(error: Exception) -> str:
    """Why a file cannot be read, without the number of the error and the path, which messages have already."""
    return str(getattr(error, "strerror", None) or error)


def _decode(path: Path, palette_as_index: bool, whole_depth: bool) -> npt.NDArray[Any]:
    try:
        with open_header(path) as image:
            _refuse_hollow(image, path)
            image.load()
            if image.mode == "P" and not palette_as_index:
                # RGBA even if nothing is transparent: Pillow warns when it drops transparency itself.
                return np.asarray(image.convert("RGBA"))
            if image.mode in ("CMYK", "YCbCr", "LAB", "HSV"):
                return np.asarray(image.convert("RGB"))
            colours = image.mode in ("RGB", "RGBA")
            # Pillow has no 16-bit colours and reads 16-bit planes wrongly; it only checks that the file is complete.
            if colours and (whole_depth or image.format == "TIFF") and stored_depth(path) == 16:
                return _with_opencv(path)
            return np.asarray(image)
    except UnidentifiedImageError:
        return _decode_with_opencv(path)
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise UnreadableImageError(path, f"is truncated or damaged ({_reason(error)})") from error


def _png_depth(path: Path) -> int:
    with regular(path).open("rb") as file:
        header = file.read(25)
    return header[24] if len(header) == 25 and header[12:16] == b"IHDR" else 8


def open_header(path: Path) -> PillowImage.Image:
    """Open an image without decoding it; refuse images that must not be decoded."""
    # One at a time, because warning filters belong to the whole process; only the header is read here.
    with _OPENING, warnings.catch_warnings():
        # Damage that Pillow only warns of is an error when the pixels are decoded.
        warnings.simplefilter("ignore")
        try:
            image = PillowImage.open(regular(path))
        except UnidentifiedImageError:
            raise
        except (OSError, SyntaxError, ValueError) as error:
            raise UnreadableImageError(path, f"cannot be opened ({_reason(error)})") from error
    problem = _problem_of(image)
    if problem:
        image.close()
        raise UnreadableImageError(path, problem)
    return image


def _problem_of(image: PillowImage.Image) -> str:
    """Why an image that can be opened must not be decoded; empty if it may be."""
    if _is_too_large(image.height, image.width):
        return _too_large(image.height, image.width)
    if image.format == "TIFF" and image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
        # Pillow and OpenCV apply the tag of TIFF files, unlike that of other formats.
        return "is a TIFF file with an orientation tag, which programs handle differently; save it without the tag"
    if image.format == "TIFF" and getattr(image, "n_frames", 1) > 1:
        return _SEVERAL_PAGES
    if image.format in ("GIF", "WEBP") and getattr(image, "n_frames", 1) > 1:
        return "is animated; save one frame as a separate file"
    return ""


def _refuse_hollow(image: PillowImage.Image, path: Path) -> None:
    """Refuse a PNG file whose header claims more pixels than deflated data of its length can hold."""
    claimed = image.width * image.height // 8  # at least one bit for each pixel
    if image.format == "PNG" and claimed > MOST_DEFLATED * path.stat().st_size:
        raise UnreadableImageError(
            path, f"is truncated: it claims {image.height}×{image.width} pixels, too many for a file of its length"
        )


def _is_too_large(height: int, width: int) -> bool:
    return height * width > _PIXELS_AT_MOST or max(height, width) > _SIDE_AT_MOST


def _too_large(height: int, width: int) -> str:
    return f"is {height}×{width}; at most {_PIXELS_AT_MOST:,} pixels, and {_SIDE_AT_MOST:,} in a row, are supported"


def _plain_size(path: Path, arrays: tuple[str, ...]) -> tuple[int, int] | None:
    """(height, width) of an array or DICOM file, or of a TIFF file that tifffile can read; None for other files."""
    if path.suffix.lower() in ARRAY_SUFFIXES:
        size: tuple[int, int] | None = _checked(path, lambda: array_size(path, arrays))
    elif path.suffix.lower() in DICOM_SUFFIXES:
        size = _checked(path, lambda: dicom_size(path))
    elif path.suffix.lower() in TIFF_SUFFIXES:
        size = _checked(path, lambda: tiff_size(path))
    else:
        return None
    if size is not None and _is_too_large(*size):
        raise UnreadableImageError(path, _too_large(*size))
    return size


def _decode_with_opencv(path: Path) -> npt.NDArray[Any]:
    """Read a TIFF file that neither Pillow nor tifffile can read, for example because of its compression."""
    if path.suffix.lower() in TIFF_SUFFIXES:
        if _checked(path, lambda: has_pages(path)):
            raise UnreadableImageError(path, _SEVERAL_PAGES)
        return _with_opencv(path)
    raise UnreadableImageError(path, _NO_IMAGE)


def _with_opencv(path: Path) -> npt.NDArray[Any]:
    pixels = cv2.imread(str(regular(path)), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise UnreadableImageError(path, _NO_IMAGE)
    return pixels if pixels.ndim == 2 else pixels[:, :, [2, 1, 0, *range(3, pixels.shape[2])]]
