"""Image and mask files into arrays, and the checks that decoders leave out."""

import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt
from PIL import ExifTags, UnidentifiedImageError
from PIL import Image as PillowImage

from toolkit.core.arrays import Image
from toolkit.errors import DataError
from toolkit.files.tiff_files import TIFF_SUFFIXES, Box, has_pages, read_tiff, tiff_size
from toolkit.files.windows import read_part

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
MASK_SUFFIXES = (".png", ".tif", ".tiff", ".bmp")

_Read = TypeVar("_Read")
_OPENING = threading.Lock()
_PIXELS_AT_MOST = 400_000_000
_SEVERAL_PAGES = "is a TIFF file of several pages; save each page as a file of its own"
# Pillow's own limit is for web servers; microscopes go beyond it.
PillowImage.MAX_IMAGE_PIXELS = None


class UnreadableImageError(DataError):
    """An image file that cannot be decoded whole; the message names it and says why."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} {why}", "Mend or remove this file, then run the command again.")


def image_id_of(name: str) -> str:
    """The id that a file name or a cell of a submission means: without the extension of an image, if it has one."""
    stem, dot, suffix = name.rpartition(".")
    return stem if dot and f".{suffix.lower()}" in IMAGE_SUFFIXES else name


def read_size(path: Path) -> tuple[int, int]:
    """(height, width) from the header alone."""
    size = _tiff_size(path)
    if size is not None:
        return size
    try:
        with _open(path) as image:
            return image.height, image.width
    except UnidentifiedImageError:
        height, width = _decode_with_opencv(path).shape[:2]
        return height, width


def read_image(path: Path, channels: int = 3) -> Image:
    """Read an image with a number of channels.

    With three, grey is repeated and an alpha channel is dropped. With one, colours become grey. With any other number
    the file has to have just these channels. 16-bit values keep their upper 8 bits. Orientation tags are not applied,
    because masks are drawn on the pixels as they are stored.

    Returns:
        `uint8 (height, width, channels)`.

    Raises:
        UnreadableImageError: not an image, truncated, damaged, of a pixel type that is not supported, too large, or
            without so many channels.
    """
    return _with_channels(_to_bytes(_decode(path), path), channels, path)


def read_image_part(path: Path, channels: int, box: Box) -> Image | None:
    """The part of an image that `read_image` would give, without reading the rest; None where the file has no parts.

    Raises:
        UnreadableImageError: as `read_image`.
    """
    pixels = _checked(path, lambda: read_part(path, box))
    return None if pixels is None else _with_channels(_to_bytes(pixels, path), channels, path)


def read_mask_part(path: Path, box: Box) -> npt.NDArray[Any] | None:
    """The part of a mask that `read_mask_values` would give; None where the file has no parts.

    Raises:
        UnreadableImageError: as `read_image`.
    """
    values = _checked(path, lambda: read_part(path, box))
    return None if values is None else _largest(values)


def _checked(path: Path, read: Callable[[], _Read]) -> _Read:
    """What `read` gives; what it raises says which file it is."""
    try:
        return read()
    except FileNotFoundError as error:
        raise UnreadableImageError(path, f"cannot be opened ({error})") from error
    except (OSError, ValueError) as error:
        raise UnreadableImageError(path, f"is truncated or damaged ({error})") from error


def _with_channels(pixels: npt.NDArray[np.uint8], channels: int, path: Path) -> Image:
    """(height, width) or (height, width, channels) as the number of channels that is asked for."""
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    found = pixels.shape[2]
    if channels == 3:
        return np.repeat(pixels[:, :, :1], 3, axis=2) if found < 3 else np.ascontiguousarray(pixels[:, :, :3])
    if channels == 1:
        grey = (
            pixels[:, :, 0] if found < 3 else cv2.cvtColor(np.ascontiguousarray(pixels[:, :, :3]), cv2.COLOR_RGB2GRAY)
        )
        return np.ascontiguousarray(grey[:, :, None])
    if found != channels:
        raise UnreadableImageError(path, f"has {found} channels, but shape asks for {channels}")
    return np.ascontiguousarray(pixels)


def read_mask_values(path: Path) -> npt.NDArray[Any]:
    """Read the pixel values of a mask file; of a palette image the indices, of several channels the largest but alpha.

    Returns:
        whole numbers or bool, (height, width).

    Raises:
        UnreadableImageError: as `read_image`.
    """
    return _largest(_decode(path, palette_as_index=True))


def _largest(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The largest value of the channels of each pixel; alpha is none of them."""
    if values.ndim == 2:
        return values
    with_alpha = values.shape[2] in (2, 4)
    largest: npt.NDArray[Any] = values[:, :, : values.shape[2] - with_alpha].max(axis=2)
    return largest


def _decode(path: Path, palette_as_index: bool = False) -> npt.NDArray[Any]:
    # Pillow reads some kinds of TIFF wrongly, without a word: planes of 16 bits.
    values = None if _tiff_size(path) is None else _checked(path, lambda: read_tiff(path))
    if values is not None:
        return values
    try:
        with _open(path) as image:
            image.load()
            if image.mode == "P" and not palette_as_index:
                # RGBA even where nothing is transparent: Pillow warns when it has to drop transparency itself.
                return np.asarray(image.convert("RGBA"))
            if image.mode in ("CMYK", "YCbCr", "LAB", "HSV"):
                return np.asarray(image.convert("RGB"))
            return np.asarray(image)
    except UnidentifiedImageError:
        return _decode_with_opencv(path)
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise UnreadableImageError(path, f"is truncated or damaged ({error})") from error


def _open(path: Path) -> PillowImage.Image:
    """Open lazily, refusing what must not be decoded."""
    # One at a time, because the filters of warnings belong to the whole process; only the header is read here.
    with _OPENING, warnings.catch_warnings():
        # Damage that Pillow only warns of shows when the pixels are decoded.
        warnings.simplefilter("ignore")
        try:
            image = PillowImage.open(path)
        except UnidentifiedImageError:
            raise
        except (OSError, SyntaxError, ValueError) as error:
            raise UnreadableImageError(path, f"cannot be opened ({error})") from error
    problem = _problem_of(image)
    if problem:
        image.close()
        raise UnreadableImageError(path, problem)
    return image


def _problem_of(image: PillowImage.Image) -> str:
    """Why an image that can be opened is not to be decoded, if it is not."""
    if image.width * image.height > _PIXELS_AT_MOST:
        return _too_large(image.height, image.width)
    if image.format == "TIFF" and image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
        # Pillow turns TIFF files by their tag, unlike all others, and so does OpenCV.
        return "is a TIFF file with an orientation tag, which programs read differently; save it without the tag"
    if image.format == "TIFF" and getattr(image, "n_frames", 1) > 1:
        return _SEVERAL_PAGES
    return ""


def _too_large(height: int, width: int) -> str:
    return f"is {height}×{width}: more than {_PIXELS_AT_MOST:,} pixels are not supported"


def _tiff_size(path: Path) -> tuple[int, int] | None:
    """(height, width) of a TIFF file that tifffile reads; None for other files."""
    if path.suffix.lower() not in TIFF_SUFFIXES:
        return None
    size = _checked(path, lambda: tiff_size(path))
    if size is not None and size[0] * size[1] > _PIXELS_AT_MOST:
        raise UnreadableImageError(path, _too_large(*size))
    return size


def _decode_with_opencv(path: Path) -> npt.NDArray[Any]:
    """The kinds of TIFF that neither Pillow nor tifffile knows, such as some compressions."""
    if path.suffix.lower() in TIFF_SUFFIXES:
        if _checked(path, lambda: has_pages(path)):
            raise UnreadableImageError(path, _SEVERAL_PAGES)
        pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if pixels is not None:
            return pixels if pixels.ndim == 2 else pixels[:, :, [2, 1, 0, *range(3, pixels.shape[2])]]
    raise UnreadableImageError(path, "is not an image, truncated, or of a kind that is not supported")


def _to_bytes(pixels: npt.NDArray[Any], path: Path) -> npt.NDArray[np.uint8]:
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == np.bool_:
        return pixels.astype(np.uint8) * np.uint8(255)
    if pixels.dtype.kind == "u" and pixels.dtype.itemsize == 2:
        return (pixels.astype(np.uint16) >> 8).astype(np.uint8)
    raise UnreadableImageError(path, f"has pixels of type {pixels.dtype}; 1, 8 and 16 bits are supported")
