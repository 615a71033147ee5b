"""Recognising masks decoded in the wrong order of pixels, which raises no error but leaves traces."""

import math
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Mask
from toolkit.core.masks.rle import PixelOrder

COUNTED: Mapping[PixelOrder, str] = {"column": "down the columns", "row": "along the rows"}
"""How pixels are counted in each order, for messages."""

CONTRADICTED = -4.0
"""A `contrast_t_statistic` of at most this value contradicts the present order."""

_BLUR = 1.5
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
    if not border_length(mask):
        return None
    grey = cv2.GaussianBlur(image.mean(axis=2, dtype=np.float32), (0, 0), _BLUR)
    across = np.abs(np.diff(grey, axis=1))[mask[:, 1:] != mask[:, :-1]]
    down = np.abs(np.diff(grey, axis=0))[mask[1:] != mask[:-1]]
    return float((across.sum() + down.sum()) / (len(across) + len(down)))


def contrast_t_statistic(contrasts: Sequence[tuple[float | None, float | None]]) -> float:
    """How clearly masks fit their images better in their present order of pixels than in the other one.

    Args:
        contrasts: `border_contrast` of each image with its mask in its present order, and in the other order.

    Returns:
        Mean of the logarithm of their ratio divided by its standard error: about standard normal if the order makes no
        difference. 0 if fewer than two images have both contrasts.
    """
    ratios = [math.log(one / other) for one, other in contrasts if one and other]
    if len(ratios) < 2:
        return 0.0
    error = float(np.std(ratios, ddof=1)) / math.sqrt(len(ratios))
    return float(np.mean(ratios)) / error if error else 0.0
