"""Recognising masks that are transposed, moved by a pixel, or of other images: errors that only leave traces."""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt
from scipy import stats

from toolkit.core.arrays import Mask
from toolkit.core.masks.rle import PixelOrder

COUNTED: Mapping[PixelOrder, str] = {"column": "down the columns", "row": "along the rows"}
"""How pixels are counted in each order, for messages."""

Contrasts = tuple[float | None, float | None]
"""`border_contrast` of a mask as it is, and otherwise: in another order, moved, or on another image."""

_CONTRADICTED = -3.5  # one in some 4,000 by chance
_CLEARLY, _FEW = math.log(2), 4

_GRID = 8
_ALIKE, _ALIKE_AT_LEAST = 0.05, 5
_ALMOST = 0.005

_MANY, _FAR_MORE = 12, 10
_LARGEST = 37.0  # beyond this, probabilities are below the smallest number
_BLUR = 1.5
_RADII = (2, 4, 8)
_TORN = 1.3


def in_other_order(mask: Mask, order: PixelOrder) -> Mask:
    """The mask that the same runs give in the other order of pixels; the transposed mask, if it is square.

    Args:
        mask: `bool (height, width)`.
        order: the order in which its runs were decoded.
    """
    if order == "column":
        return mask.ravel(order="F").reshape(mask.shape)
    return mask.ravel().reshape(mask.shape, order="F")


def one_pixel_on(mask: Mask, order: PixelOrder) -> Mask:
    """The mask whose runs start one pixel later: what runs mean that are counted from 0 but were read as from 1.

    Args:
        mask: `bool (height, width)`.
        order: the order in which its runs were decoded.
    """
    layout: Literal["F", "C"] = "F" if order == "column" else "C"
    return np.roll(mask.ravel(order=layout), 1).reshape(mask.shape, order=layout)


def place_of(mask: Mask) -> str:
    """Where a mask has foreground: its share in each of 8×8 parts of the image, two hexadecimal digits each."""
    shares = cv2.resize(mask.astype(np.float32), (_GRID, _GRID), interpolation=cv2.INTER_AREA)
    return np.rint(shares * 255).astype(np.uint8).tobytes().hex()


def are_alike(places: Sequence[str]) -> bool:
    """Whether masks are nearly the same in all images, as a field of view or a margin is, but no label.

    Args:
        places: `place_of` each mask.
    """
    if len(places) < _ALIKE_AT_LEAST:
        return False
    shares = np.stack([np.frombuffer(bytes.fromhex(place), np.uint8) for place in places]).astype(np.float64) / 255
    common = np.median(shares, axis=0)
    if not _ALMOST < common.mean() < 1 - _ALMOST:
        return False
    size = min(common.sum(), (1 - common).sum())
    return bool(np.abs(shares - common).sum(axis=1).max() <= _ALIKE * size)


def line_starts(mask: Mask, order: PixelOrder) -> tuple[int, int]:
    """How many runs begin in the first pixel of a line (a column or row), and how many in the last and go on beyond it.

    A drawn shape hardly ever does the latter; if runs are counted from 0 but were read as from 1, every shape at the
    first border does.

    Args:
        mask: `bool (height, width)`.
        order: the order in which its runs were decoded.
    """
    flat = mask.ravel(order="F" if order == "column" else "C")
    length = mask.shape[0 if order == "column" else 1]
    begins = np.flatnonzero(flat & ~np.concatenate([[False], flat[:-1]]))
    last = begins[(begins % length == length - 1) & (begins + 1 < flat.size)]
    return int(np.count_nonzero(begins % length == 0)), int(np.count_nonzero(flat[last + 1])) if length > 1 else 0


def count_from_zero(starts: Sequence[tuple[int, int]]) -> bool:
    """Whether `line_starts` of masks show that runs are counted from 0: many, in several masks, and hardly an other."""
    first, beyond = (sum(one[place] for one in starts) for place in (0, 1))
    masks = sum(one[1] > 0 for one in starts)
    return masks >= _FEW - 1 and beyond >= _MANY and first * _FAR_MORE <= beyond


def border_length(mask: Mask) -> int:
    """Number of pairs of neighbouring pixels across the border; the wrong order tears masks and so adds borders."""
    return int(np.count_nonzero(mask[:, 1:] != mask[:, :-1]) + np.count_nonzero(mask[1:] != mask[:-1]))


def is_torn(length: int, other: int) -> bool:
    """Whether borders of this length show that masks are torn, compared with their length in the other order."""
    return length > _TORN * other > 0


def border_contrast(image: npt.NDArray[np.uint8], mask: Mask) -> float | None:
    """Mean change of an image across the border of a mask, in grey levels; None if there is no border.

    Args:
        image: `uint8 (height, width, channels)`; slightly blurred against noise.
        mask: `bool (height, width)`.
    """
    return contrast_across(blurred(image), mask)


def blurred(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """The grey levels of an image, `float32 (height, width)`, slightly blurred against noise."""
    return np.asarray(cv2.GaussianBlur(image.mean(axis=2, dtype=np.float32), (0, 0), _BLUR), np.float32)


def contrast_across(grey: npt.NDArray[np.float32], mask: Mask) -> float | None:
    """`border_contrast` of the image that `blurred` gave these grey levels for."""
    across, down = mask[:, 1:] != mask[:, :-1], mask[1:] != mask[:-1]
    count = np.count_nonzero(across) + np.count_nonzero(down)
    if not count:
        return None
    changes = np.abs(np.diff(grey, axis=1))[across].sum() + np.abs(np.diff(grey, axis=0))[down].sum()
    return float(changes / count)


def contrast_of_any_size(grey: npt.NDArray[np.float32], mask: Mask) -> float | None:
    """The best `contrast_across` of a mask and of the same mask grown or shrunk a little.

    Masks that are drawn too generously have no contrast across their borders, which says nothing against their place.
    """
    stored = mask.astype(np.uint8)
    kernels = [np.ones((2 * radius + 1,) * 2, np.uint8) for radius in _RADII]
    others = [change(stored, kernel) > 0 for kernel in kernels for change in (cv2.erode, cv2.dilate)]
    found = [contrast for one in (mask, *others) if (contrast := contrast_across(grey, one)) is not None]
    return max(found, default=None)


def contrast_statistic(contrasts: Sequence[Contrasts]) -> float:
    """How clearly masks fit their images better as they are than otherwise.

    Args:
        contrasts: those of each mask.

    Returns:
        The mean of the logarithm of their ratio divided by its standard error, as a value of the standard normal
        distribution: with few images the same quotient says less (Student's distribution). 0 if fewer than two masks
        have both contrasts, or if all ratios are equal.
    """
    ratios = [math.log(one / other) for one, other in contrasts if one and other]
    if len(ratios) < 2:
        return 0.0
    error = float(np.std(ratios, ddof=1)) / math.sqrt(len(ratios))
    if not error:
        return 0.0
    quotient = float(np.mean(ratios)) / error
    size = -float(stats.norm.ppf(stats.t.cdf(-abs(quotient), len(ratios) - 1)))
    return math.copysign(min(size, _LARGEST), quotient)


def are_contradicted(contrasts: Sequence[Contrasts]) -> bool:
    """Whether masks fit their images clearly better otherwise; arguments as for `contrast_statistic`.

    Either on average, far beyond chance; or each of at least four masks fits twice as well.
    """
    ratios = [math.log(one / other) for one, other in contrasts if one and other]
    return contrast_statistic(contrasts) <= _CONTRADICTED or (len(ratios) >= _FEW and max(ratios) <= -_CLEARLY)
