"""COCO's run-length encodings: lengths of alternating runs of background and foreground, down the columns.

The format is defined in https://github.com/cocodataset/cocoapi/blob/master/common/maskApi.c. pycocotools is not used,
because it trusts its input: if lengths make up too few pixels, it fills the mask with uninitialised memory.
"""

from collections.abc import Sequence

import numpy as np

from toolkit.core.arrays import Mask
from toolkit.core.masks.rle import RleError


def decode_coco(counts: str | bytes | Sequence[int], size: tuple[int, int]) -> Mask:
    """Decode lengths in a list, or compressed into text, to a mask `bool (height, width)`.

    Raises:
        RleError: the text is damaged, or the lengths do not add up to the pixels of the image.
    """
    if isinstance(counts, str | bytes):
        lengths = np.array(_unpacked(counts), np.int64)
    else:
        if any(not isinstance(count, int) for count in counts):
            raise RleError("expected whole numbers as lengths")
        lengths = np.array(counts, np.int64)
    height, width = size
    if (lengths < 0).any() or lengths.sum() != height * width:
        expected = f"expected lengths of at least 0 for {height}×{width} pixels"
        raise RleError(f"{expected}, received lengths for {lengths.sum()} pixels")
    values = np.arange(len(lengths)) % 2 == 1
    return np.ascontiguousarray(np.repeat(values, lengths).reshape(width, height).T)


def _unpacked(text: str | bytes) -> list[int]:
    """Read numbers of 5 bits a character, lowest bits first; from the fourth on, differences to the last but one."""
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
