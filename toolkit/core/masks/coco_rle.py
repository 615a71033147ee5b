"""COCO's run-length encodings: lengths in turn of background and foreground, down the columns.

https://github.com/cocodataset/cocoapi/blob/master/common/maskApi.c
"""

from collections.abc import Sequence

import numpy as np

from toolkit.core.arrays import Mask
from toolkit.core.masks.rle import RleError


def decode_coco(counts: str | bytes | Sequence[int], size: tuple[int, int]) -> Mask:
    """The mask, `bool (height, width)`, of lengths in a list or compressed into text.

    Raises:
        RleError: the text is damaged, or the lengths do not make up the image.
    """
    if isinstance(counts, str | bytes):
        lengths = np.array(_unpacked(counts), np.int64)
    else:
        if any(not isinstance(count, int) for count in counts):
            raise RleError("lengths are whole numbers")
        lengths = np.array(counts, np.int64)
    height, width = size
    if (lengths < 0).any() or lengths.sum() != height * width:
        raise RleError(f"lengths make up {lengths.sum()} pixels, expected {height}×{width}, none of them negative")
    values = np.arange(len(lengths)) % 2 == 1
    return np.ascontiguousarray(np.repeat(values, lengths).reshape(width, height).T)


def _unpacked(text: str | bytes) -> list[int]:
    """Numbers of 5 bits a character, least significant first; from the fourth on, differences to the last but one."""
    numbers: list[int] = []
    number, shift = 0, 0
    for code in text.encode() if isinstance(text, str) else text:
        bits = code - 48
        if not 0 <= bits < 64 or shift > 60:
            raise RleError("the text is damaged")
        number |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            number -= 1 << shift
        numbers.append(number + (numbers[-2] if len(numbers) > 2 else 0))
        number, shift = 0, 0
    if shift:
        raise RleError("the text is cut off")
    return numbers
