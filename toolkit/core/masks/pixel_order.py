"""Whether masks stand the right way: a wrong order of pixels raises no error, but leaves traces."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Mask
from toolkit.core.masks.rle import PixelOrder

_BLUR = 1.5


def in_other_order(mask: Mask, order: PixelOrder) -> Mask:
    """What the runs of a mask are when pixels are counted in the order that is not theirs.

    Of a square mask it is the transposed one. With the order of the result it gives the mask again.

    Args:
        mask: `bool (height, width)`.
        order: in which its runs were decoded.
    """
    if order == "column":
        return mask.ravel(order="F").reshape(mask.shape)
    return mask.ravel().reshape(mask.shape, order="F")


def border_length(mask: Mask) -> int:
    """Pairs of neighbouring pixels, of which one is inside and one outside. Counting pixels wrongly tears masks."""
    return int(np.count_nonzero(mask[:, 1:] != mask[:, :-1]) + np.count_nonzero(mask[1:] != mask[:-1]))


def border_contrast(image: npt.NDArray[np.uint8], mask: Mask) -> float | None:
    """How much an image changes across the border of a mask: the mean over its pairs of pixels, in grey levels.

    Args:
        image: `uint8 (height, width, channels)`; it is blurred a little, against noise.
        mask: `bool (height, width)`.

    Returns:
        None where there is no border.
    """
    if not border_length(mask):
        return None
    grey = cv2.GaussianBlur(image.mean(axis=2, dtype=np.float32), (0, 0), _BLUR)
    across = np.abs(np.diff(grey, axis=1))[mask[:, 1:] != mask[:, :-1]]
    down = np.abs(np.diff(grey, axis=0))[mask[1:] != mask[:-1]]
    return float((across.sum() + down.sum()) / (len(across) + len(down)))


def evidence(contrasts: Sequence[tuple[float | None, float | None]]) -> float:
    """How surely masks fit their images better as they are than in the other order.

    Args:
        contrasts: `border_contrast` of each image with its mask as it is, and in the other order.

    Returns:
        Mean over standard error of the logarithm of their ratio; about normal if the order made no difference. 0 where
        too few images tell.
    """
    ratios = [math.log(one / other) for one, other in contrasts if one and other]
    if len(ratios) < 2:
        return 0.0
    error = float(np.std(ratios, ddof=1)) / math.sqrt(len(ratios))
    return float(np.mean(ratios)) / error if error else 0.0
