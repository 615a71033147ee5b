"""Run-length encoding of masks: the `start length` text in CSV files of competitions."""

from typing import Literal, NoReturn

import cv2
import numpy as np

from toolkit.core.arrays import Integers, Mask

PixelOrder = Literal["column", "row"]
"""The order of counting pixels: down the columns from left to right, or along the rows from top to bottom."""

_ALLOWED = b"0123456789 "
_FEW = 400
"""Below this count of numbers, a loop is faster than arrays."""


class RleError(ValueError):
    """A text is not the run-length encoding of a mask of the given size; the message says why."""


def encode(mask: Mask, order: PixelOrder = "column", relative: bool = False) -> str:
    """Encode a mask as pairs of start and length; an empty mask gives an empty text.

    Starts count from 1 (https://www.kaggle.com/c/tgs-salt-identification-challenge/overview/evaluation). Relative
    starts count the pixels since the end of the previous run, or since the first pixel
    (https://www.kaggle.com/c/siim-acr-pneumothorax-segmentation/overview/evaluation).

    Args:
        mask: `bool (height, width)`.
        order: order of the pixels.
        relative: whether starts are relative.
    """
    if mask.ndim != 2 or mask.dtype != np.bool_:
        raise ValueError(f"expected a bool mask (height, width), received {mask.dtype} {mask.shape}")
    borders = _borders(mask, order)
    numbers = np.diff(borders, prepend=0) if relative else borders.copy()
    numbers[1::2] = borders[1::2] - borders[::2]
    if not relative:
        numbers[::2] += 1
    return _text(numbers)


def decode(text: str, size: tuple[int, int], order: PixelOrder = "column", relative: bool = False) -> Mask:
    """Decode pairs of start and length; the inverse of `encode`.

    Args:
        text: the numbers, separated by single spaces; leading and trailing spaces are ignored.
        size: (height, width) of the mask.
        order: order of the pixels.
        relative: whether starts are relative.

    Returns:
        `bool (height, width)`.

    Raises:
        RleError: the text is not a list of pairs of whole numbers, a start or length is too small, runs are unsorted or
            overlap, or the last run leaves the mask.
    """
    height, width = size
    numbers = _numbers(text.strip(" "), height * width)
    pixels = _filled_one_by_one if len(numbers) < _FEW else _filled_at_once
    flat = pixels(numbers, height * width, relative)
    return flat.reshape(size) if order == "row" else flat.reshape((width, height)).T


def _borders(mask: Mask, order: PixelOrder) -> Integers:
    """Starts and ends of runs, counted from 0, `int64 (2 * runs,)`."""
    if not mask.size:
        return np.empty(0, np.int64)
    pixels = mask.view(np.uint8)
    if order == "row":
        flat = pixels.ravel()
    elif mask.flags.f_contiguous:
        flat = pixels.T.ravel()
    else:
        flat = np.asarray(cv2.transpose(np.ascontiguousarray(pixels)), np.uint8).ravel()
    inside = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    first = [0] if flat[0] else []
    last = [flat.size] if flat[-1] else []
    return np.concatenate([first, inside, last]).astype(np.int64) if first or last else inside


def _text(numbers: Integers) -> str:
    """Numbers of at least 0, separated by spaces."""
    if len(numbers) < _FEW:
        return " ".join(map(str, numbers.tolist()))
    largest = int(numbers.max())
    rest = numbers.astype(np.uint32 if largest < 2**32 else np.uint64)
    digits = len(str(largest))
    letters = np.empty((len(numbers), digits + 1), np.uint8)
    letters[:, digits] = ord(" ")
    for place in range(digits - 1, -1, -1):
        shorter = np.floor_divide(rest, 10)
        letters[:, place] = (rest - 10 * shorter) + ord("0")
        if place < digits - 1:
            letters[rest == 0, place] = 0  # no digit here; zero bytes are removed at the end
        rest = shorter
    return letters.tobytes().translate(None, b"\0")[:-1].decode()


def _numbers(text: str, pixel_count: int) -> Integers:
    """Read an even count of numbers; rejects a text longer than any mask of this size can need."""
    if not text:
        return np.empty(0, np.int64)
    longest = (pixel_count + 1) // 2 * 2 * (len(str(pixel_count)) + 1)
    if len(text) > longest:
        needed = f"a mask of {pixel_count} pixels needs {longest} at most"
        raise RleError(f"the text has {len(text)} characters, but {needed}")
    letters = text.encode(errors="replace")
    if letters.translate(None, _ALLOWED) or b"  " in letters:
        raise RleError(f"expected whole numbers separated by single spaces, received {_excerpt(text)}")
    numbers = np.fromstring(text, np.int64, sep=" ")  # numbers too large for int64 become its largest value
    if len(numbers) % 2:
        raise RleError(f"expected pairs of start and length, received an odd count of {len(numbers)} numbers")
    return numbers


def _filled_one_by_one(numbers: Integers, pixel_count: int, relative: bool) -> Mask:
    """`bool (pixels,)`, True in the runs. For few of them, because each step costs."""
    pixels = np.zeros(pixel_count, np.uint8)
    view = pixels.data  # twice as fast as slices of an array
    found = iter(numbers.tolist())
    end = 0
    for start, length in zip(found, found, strict=True):
        begin = end + start if relative else start - 1
        if begin < end or length < 1 or begin + length > pixel_count:
            _refuse(numbers, pixel_count, relative)
        end = begin + length
        view[begin:end] = b"\1" * length
    return pixels.view(np.bool_)


def _filled_at_once(numbers: Integers, pixel_count: int, relative: bool) -> Mask:
    """The same with arrays, faster for many numbers."""
    lengths = numbers.copy()  # of alternating runs of background and foreground
    if numbers.max() > pixel_count:
        _refuse(numbers, pixel_count, relative)
    if not relative:
        ends = numbers[::2] + numbers[1::2] - 1
        lengths[0] -= 1
        lengths[2::2] -= 1 + ends[:-1]
    if lengths[::2].min() < 0 or lengths[1::2].min() < 1 or (end := int(lengths.sum())) > pixel_count:
        _refuse(numbers, pixel_count, relative)
    pixels = np.zeros(pixel_count, np.bool_)
    inside = np.zeros(len(lengths), np.bool_)
    inside[1::2] = True
    pixels[:end] = np.repeat(inside, lengths)
    return pixels


def _refuse(numbers: Integers, pixel_count: int, relative: bool) -> NoReturn:
    """Raise an error that explains the first invalid run."""
    found = iter(numbers.tolist())
    end = 0
    for number, (start, length) in enumerate(zip(found, found, strict=True), start=1):
        if not relative and start < 1:
            hint = "; are these counted from 0?" if start == 0 else ""
            raise RleError(f"starts count from 1, received {start}{hint}")
        if length < 1:
            raise RleError(f"expected lengths of at least 1, received {length}")
        begin = end + start if relative else start - 1
        if begin < end:
            raise RleError(f"runs must be sorted and not overlap, but run {number} starts at {start}")
        end = begin + length
        if end > pixel_count:
            raise RleError(f"run {number} ends at pixel {end}, but the image has {pixel_count}")
    raise ValueError("these runs are valid")


def _excerpt(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")
