"""Objects of a mask: its connected components, and touching ones divided by a watershed."""

import cv2
import numpy as np
import numpy.typing as npt
from skimage import segmentation

from toolkit.core.arrays import Mask
from toolkit.core.measuring import Objects


def components(mask: Mask) -> Objects:
    """Number the connected components of a mask `bool (height, width)` from 1; pixels that touch at a corner connect.

    So does `skimage.morphology.label`, with which the participants of DSB 2018 and Airbus made objects of masks.
    """
    _, numbered = cv2.connectedComponents(np.ascontiguousarray(mask, np.uint8), connectivity=8, ltype=cv2.CV_32S)
    return np.asarray(numbered, np.int32)


def divided(mask: Mask, distance: int) -> Objects:
    """Number the objects of a mask from 1, touching ones divided where they narrow.

    A watershed floods the distance to the background from its peaks. A peak is a pixel whose distance no other pixel of
    its component within `distance` rows and columns exceeds; peaks that near to each other are equally high, such as
    those along a bar, and make one object together. What lies outside of the image is no background.

    Args:
        mask: `bool (height, width)`; every one of its pixels belongs to one object in the end.
        distance: in pixels, at least 1.
    """
    image = np.ascontiguousarray(mask, np.uint8)
    count, connected, boxes, _ = cv2.connectedComponentsWithStats(image, connectivity=8, ltype=cv2.CV_32S)
    if mask.all():  # there is no background to be far from
        return np.asarray(connected, np.int32)
    depth = cv2.distanceTransform(image, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    markers = np.zeros(mask.shape, np.int32)
    found = 0
    for number in range(1, count):
        left, top, width, height = boxes[number, :4]
        box = np.s_[top : top + height, left : left + width]
        own = connected[box] == number
        peaks = _peaks(np.where(own, depth[box], 0), own, distance)
        markers[box][own] = np.where(peaks > 0, peaks + found, 0)[own]
        found += int(peaks.max())
    flooded = segmentation.watershed(-depth, markers, mask=mask, connectivity=2)  # type: ignore[no-untyped-call]
    return np.asarray(flooded, np.int32)


def _peaks(depth: npt.NDArray[np.float32], own: Mask, distance: int) -> Objects:
    """Number the peaks of one component, those at most `distance` apart alike."""
    around = np.ones((2 * distance + 1, 2 * distance + 1), np.uint8)
    peaks = own & (depth == cv2.dilate(depth, around))
    # Squares of this side around two pixels touch exactly if the pixels are at most `distance` apart.
    near = cv2.dilate(
        np.pad(peaks.astype(np.uint8), distance), np.ones((distance, distance), np.uint8)
    )  # the padding holds squares that reach over the edge
    height, width = own.shape
    groups = components(near > 0)[distance : distance + height, distance : distance + width]
    return np.where(peaks, groups, 0).astype(np.int32)
