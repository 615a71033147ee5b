"""TIFF files through tifffile: any number of channels, in any layout, whole or one window of them."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image as PillowImage

from toolkit.config.yaml.file_paths import regular
from toolkit.core.images.windows import Window, whole

TIFF_SUFFIXES = (".tif", ".tiff")
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE = 0, 1, 2, 3
_MODES = ("1", "L", "P", "RGB", "RGBA", "I;16", "I;16B", "I", "F")
# None, deflate and PackBits: tifffile decodes these without further libraries.
_COMPRESSIONS = (1, 8, 32946, 32773)


def tiff_size(path: Path) -> tuple[int, int] | None:
    """(height, width) of a file that `read_tiff` can read; None for other files.

    Raises:
        OSError: the file cannot be opened.
    """
    try:
        with tifffile.TiffFile(regular(path)) as file:
            pages = _plain_pages(file)
            return (pages[0].imagelength, pages[0].imagewidth) if pages else None
    except OSError:
        raise
    except Exception:  # damaged headers raise errors of many types
        return None


def tiff_depth(path: Path) -> int | None:
    """The number of bits of a value; None if the header does not say."""
    try:
        with tifffile.TiffFile(regular(path)) as file:
            return int(file.pages[0].aspage().bitspersample)
    except OSError:
        raise
    except Exception:  # damaged headers raise errors of many types
        return None


def read_tiff(path: Path, window: Window | None = None) -> npt.NDArray[Any] | None:
    """The values of a file, or of a window of it alone: (height, width) or (height, width, channels).

    Several pages are read as channels if the file says so, as those of ImageJ and OME do. None for other files of
    several pages, rotated images, palettes, values of less than 8 bits, and compressions that need further libraries.

    Raises:
        OSError, ValueError: the file cannot be opened, is truncated or damaged.
    """
    try:
        with tifffile.TiffFile(regular(path)) as file:
            pages = _plain_pages(file)
            if not pages:
                return None
            window = window or whole((pages[0].imagelength, pages[0].imagewidth))
            read = [_of_plain_values if page.is_memmappable else _of_segments for page in pages]
            planes = [of_page(page, window) for of_page, page in zip(read, pages, strict=True)]
            values = planes[0] if len(planes) == 1 else np.concatenate(planes, axis=2)
            return values[:, :, 0] if values.shape[2] == 1 else values
    except (OSError, ValueError):
        raise
    except Exception as error:  # damage raises errors of many types
        raise ValueError(f"{type(error).__name__}: {error}") from error


def has_pages(path: Path) -> bool:
    """Whether a TIFF file has more than one page."""
    try:
        with tifffile.TiffFile(regular(path)) as file:
            return len(file.pages) > 1
    except OSError:
        raise
    except Exception:  # damaged headers raise errors of many types
        return False


@dataclass(frozen=True, eq=False)
class Page:
    """A page of a file: its values, (height, width) or (height, width, channels), and what they mean.

    `palette` has the colours if values are numbers of colours; `white_is_zero` says that the smallest value is white.
    """

    values: npt.NDArray[Any]
    palette: npt.NDArray[np.uint16] | None = None
    white_is_zero: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.values.shape[0], self.values.shape[1]

    @property
    def channels(self) -> int:
        """How many there are."""
        return 1 if self.values.ndim == 2 else self.values.shape[2]


def read_pages(path: Path) -> Iterator[Page]:
    """The pages of a file one after the other, in the order of the file; values of one bit become 0 and 255.

    Channels that are pages of their own, as in files of ImageJ and OME, are joined.

    Raises:
        OSError, ValueError: the file cannot be opened, is truncated, damaged or of an unsupported kind, or its pages
            have different sizes.
    """
    try:
        with tifffile.TiffFile(regular(path)) as file:
            pages = [one.aspage() for one in file.pages]
            if not pages:
                raise ValueError("has no pages")
            _refuse_unusual(pages)
            first = pages[0]
            by_tifffile = first.compression in _COMPRESSIONS
            for values in _slices(file, pages) if by_tifffile else _frames_by_pillow(path):
                shown = values.astype(np.uint8) * 255 if values.dtype == np.bool_ else values
                white_is_zero = by_tifffile and first.photometric == _WHITE_IS_ZERO  # Pillow has inverted them
                yield Page(shown.astype(shown.dtype.newbyteorder("=")), first.colormap, white_is_zero)
    except (OSError, ValueError):
        raise
    except Exception as error:  # damage raises errors of many types
        raise ValueError(f"{type(error).__name__}: {error}") from error


def encode_page(page: Page) -> bytes:
    """A TIFF file of one page, compressed without loss."""
    file = io.BytesIO()
    grey = "miniswhite" if page.white_is_zero else "minisblack"
    kind = "rgb" if page.channels in (3, 4) else grey
    tifffile.imwrite(
        file,
        page.values,
        photometric=kind if page.palette is None else "palette",
        planarconfig=None if page.values.ndim == 2 else "contig",
        compression="zlib",
        metadata=None,
        colormap=page.palette,
    )
    return file.getvalue()


def _refuse_unusual(pages: Sequence[Any]) -> None:
    """Refuse pages of different kinds, and kinds whose values are not those of pixels."""
    kinds = dict.fromkeys(f"{'×'.join(map(str, page.shape))} {page.dtype}" for page in pages)
    if len(kinds) > 1:
        raise ValueError(f"has pages of different sizes or kinds: {', '.join(kinds)}")
    first = pages[0]
    orientation = first.tags.get("Orientation")
    if orientation is not None and orientation.value != 1:
        raise ValueError("has an orientation tag, which programs handle differently; save it without the tag")
    if first.photometric not in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE) and first.compression in _COMPRESSIONS:
        raise ValueError("has colours that are neither grey, RGB nor a palette; save it as one of these")
    if first.imagedepth > 1:
        raise ValueError("holds whole volumes as pages, which is not supported; save each slice as a page")


def _slices(file: Any, pages: Sequence[Any]) -> Iterator[npt.NDArray[Any]]:
    """The values of each page, (height, width) or (height, width, channels), the channels of a page joined."""
    series, first = file.series[0], pages[0]
    axes = series.axes[: series.axes.index("Y")].removesuffix("S") if len(file.series) == 1 else ""
    counts = series.shape[: len(axes)]
    total = int(np.prod(counts, dtype=np.int64))
    if len(file.series) > 1 or total == 1:
        yield from (_last_channels(page.asarray(), page.axes) for page in pages)
        return
    # ImageJ stores all pages as the values of the first.
    stored = None if len(series.pages) == total else series.asarray().reshape(total, *first.shape)
    places, joined = np.arange(total).reshape(counts), 1
    if "C" in axes:
        places, joined = np.moveaxis(places, axes.index("C"), -1), counts[axes.index("C")]
    for group in places.reshape(-1, joined):
        planes = [series.pages[int(one)].asarray() if stored is None else stored[one] for one in group]
        planes = [_last_channels(plane, first.axes) for plane in planes]
        yield planes[0] if joined == 1 else np.concatenate([np.atleast_3d(plane) for plane in planes], axis=2)


def _last_channels(values: npt.NDArray[Any], axes: str) -> npt.NDArray[Any]:
    """The values with the channels last; planes of samples stand before the rows in some files."""
    return np.moveaxis(values, 0, 2) if axes == "SYX" else values


def _frames_by_pillow(path: Path) -> Iterator[npt.NDArray[Any]]:
    """Pages whose compression tifffile cannot read without further packages."""
    with PillowImage.open(regular(path)) as image:
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            if image.mode not in _MODES:
                raise ValueError(f"has pages of the kind {image.mode}, which is not supported")
            yield np.asarray(image)


def _plain_pages(file: tifffile.TiffFile) -> list[Any]:
    """The only page of a file, or one page per channel; empty if the file is of another kind."""
    if len(file.pages) != 1 and (len(file.series) != 1 or file.series[0].axes != "CYX"):
        return []
    pages = [page.aspage() for page in file.pages]
    return pages if all(map(_is_plain, pages)) else []


def _is_plain(page: Any) -> bool:
    """Whether the stored values of a page are the pixel values of the image, in any layout."""
    orientation = page.tags.get("Orientation")
    return (
        page.photometric in (_BLACK_IS_ZERO, _RGB)
        and page.compression in _COMPRESSIONS
        and page.bitspersample in (8, 16, 32, 64)
        and page.dtype is not None
        and page.imagedepth == 1
        and not page.is_subsampled
        and (orientation is None or orientation.value == 1)
    )


def _of_plain_values(page: Any, window: Window) -> npt.NDArray[Any]:
    """A window of values that are stored without gaps, read through a memory map."""
    # (planes, 1, height, width, channels): a plane per channel, or one plane with all channels of a pixel together.
    stored: npt.NDArray[Any] = page.asarray(out="memmap", squeeze=False)
    shown = stored[:, 0, window.top : window.bottom, window.left : window.right]
    values: npt.NDArray[Any] = np.moveaxis(shown, 0, 2).reshape(*window.size, page.samplesperpixel)
    return values.astype(values.dtype.newbyteorder("="))


def _of_segments(page: Any, window: Window) -> npt.NDArray[Any]:
    """A window put together from the tiles or strips of the file that it touches."""
    top, left = window.top, window.left
    values = np.zeros((*window.size, page.samplesperpixel), page.dtype)
    for segment, (sample, _, row, column, _) in _segments(page, window):
        first, last = max(row, top), min(row + segment.shape[0], window.bottom)
        begin, end = max(column, left), min(column + segment.shape[1], window.right)
        inner = segment[first - row : last - row, begin - column : end - column]
        values[first - top : last - top, begin - left : end - left, sample : sample + inner.shape[2]] = inner
    return values


def _segments(page: Any, window: Window) -> Iterator[tuple[npt.NDArray[Any], Sequence[int]]]:
    """The decoded tiles or strips that a window touches, (height, width, channels), and where each begins."""
    rows, columns = (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip, page.imagewidth)
    down, across = -(-page.imagelength // rows), -(-page.imagewidth // columns)
    wanted = [
        (plane * down + row) * across + column
        for plane in range(page.samplesperpixel if page.planarconfig == 2 else 1)
        for row in range(window.top // rows, (window.bottom - 1) // rows + 1)
        for column in range(window.left // columns, (window.right - 1) // columns + 1)
    ]
    offsets = [page.dataoffsets[index] for index in wanted]
    counts = [page.databytecounts[index] for index in wanted]
    for data, index in page.parent.filehandle.read_segments(offsets, counts, wanted):
        segment, place, _ = page.decode(data, index)
        if segment is not None:  # a segment that is not in the file is all zeros
            yield segment[0], place
