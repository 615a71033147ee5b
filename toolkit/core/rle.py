"""Run-length encoding of masks: the `start length` text of competition CSV files."""

import re

import numpy as np

from toolkit.core.arrays import Integers, Mask

_TEXT = re.compile(r"[0-9]+( [0-9]+)*")
_DIGITS_AT_MOST = 18


class RleError(ValueError):
    """A text that is not the run-length encoding of a mask of the given size; the message says why."""


def encode(mask: Mask) -> str:
    """Encode a mask as 1-based `start length` pairs in column-major order; an empty mask gives an empty text.

    The order of pixels is top to bottom, then left to right, as in TGS Salt, Airbus and Severstal
    (https://www.kaggle.com/c/tgs-salt-identification-challenge/overview/evaluation).

    Args:
        mask: `bool (height, width)`.
    """
    if mask.ndim != 2 or mask.dtype != np.bool_:
        raise ValueError(f"expected a bool mask (height, width), received {mask.dtype} {mask.shape}")
    pixels = np.zeros(mask.size + 2, np.int8)
    pixels[1:-1] = mask.ravel(order="F")
    borders = np.flatnonzero(np.diff(pixels))
    starts, ends = borders[::2], borders[1::2]
    runs = np.stack([starts + 1, ends - starts], axis=1)
    return " ".join(map(str, runs.ravel().tolist()))


def decode(text: str, size: tuple[int, int]) -> Mask:
    """Decode column-major 1-based `start length` pairs; the inverse of `encode`.

    Args:
        text: the pairs, separated by single spaces; spaces around them are ignored.
        size: (height, width) of the mask.

    Returns:
        `bool (height, width)`.

    Raises:
        RleError: the text is no list of pairs of whole numbers, a start or length is below 1, runs are unsorted or
            overlap, or the last one leaves the mask.
    """
    height, width = size
    pixels = np.zeros(height * width, np.bool_)
    for start, end in _runs(text, height * width):
        pixels[start:end] = True
    return pixels.reshape((height, width), order="F")


def _runs(text: str, pixel_count: int) -> list[tuple[int, int]]:
    """Zero-based (start, end) of each run, checked."""
    text = text.strip(" ")
    if not text:
        return []
    longest = (pixel_count + 1) // 2 * 2 * (len(str(pixel_count)) + 1)
    if len(text) > longest:
        raise RleError(f"{len(text)} characters are more than any mask of {pixel_count} pixels can need ({longest})")
    if not _TEXT.fullmatch(text):
        raise RleError(f"expected whole numbers separated by single spaces, received {_excerpt(text)}")
    words = text.split(" ")
    if len(words) % 2:
        raise RleError(f"expected pairs of start and length, received an odd count of {len(words)} numbers")
    if max(map(len, words)) > _DIGITS_AT_MOST:
        raise RleError("a number has more digits than any image has pixels")
    numbers: Integers = np.array(words, np.int64)
    starts, lengths = numbers[::2], numbers[1::2]
    if starts.min() < 1:
        raise RleError(f"starts count from 1, received {starts.min()}")
    if lengths.min() < 1:
        raise RleError(f"lengths are at least 1, received {lengths.min()}")
    ends = starts + lengths - 1
    if np.any(starts[1:] <= ends[:-1]):
        first = int(np.argmax(starts[1:] <= ends[:-1])) + 1
        raise RleError(f"runs must be sorted and not overlap, but run {first + 1} starts at {starts[first]}")
    if ends[-1] > pixel_count:
        raise RleError(f"the last run ends at pixel {ends[-1]}, but the image has {pixel_count}")
    return list(zip((starts - 1).tolist(), ends.tolist(), strict=True))


def _excerpt(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")
