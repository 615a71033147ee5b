"""Image and mask files into arrays, and the checks that decoders leave out."""

import threading
import warnings
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import ExifTags, UnidentifiedImageError
from PIL import Image as PillowImage

from toolkit.core.arrays import Image
from toolkit.errors import DataError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
MASK_SUFFIXES = (".png", ".tif", ".tiff", ".bmp")

_OPENING = threading.Lock()
_PIXELS_AT_MOST = 400_000_000
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
    pixels = _to_bytes(_decode(path), path)
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
    values = _decode(path, palette_as_index=True)
    if values.ndim == 3:
        with_alpha = values.shape[2] in (2, 4)
        largest: npt.NDArray[Any] = values[:, :, : values.shape[2] - with_alpha].max(axis=2)
        return largest
    return values


def _decode(path: Path, palette_as_index: bool = False) -> npt.NDArray[Any]:
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
        return f"is {image.height}×{image.width}: more than {_PIXELS_AT_MOST:,} pixels are not supported"
    if image.format == "TIFF" and image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
        # Pillow turns TIFF files by their tag, unlike all others, and so does OpenCV.
        return "is a TIFF file with an orientation tag, which programs read differently; save it without the tag"
    if image.format == "TIFF" and getattr(image, "n_frames", 1) > 1:
        return "is a TIFF file of several pages; save each page as a file of its own"
    return ""


def _decode_with_opencv(path: Path) -> npt.NDArray[Any]:
    """The kinds of TIFF that Pillow does not know, such as some compressions."""
    if path.suffix.lower() in (".tif", ".tiff"):
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
