"""Objects of a mask: its connected components, and touching ones divided by a watershed."""

import cv2
import numpy as np
import numpy.typing as npt
from skimage import measure, segmentation

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

    In each component a watershed floods the distance to the background from its peaks. A peak is a pixel whose distance
    no other one of the component within `distance` rows and columns exceeds; peaks that near to each other are equally
    high, such as those along the middle of a bar, and are flooded as one. What lies outside of the image is no
    background.

    Args:
        mask: `bool (height, width)`; each of its pixels belongs to one object in the end, and no other.
        distance: in pixels, at least 1.
    """
    image = np.ascontiguousarray(mask, np.uint8)
    count, connected, boxes, _ = cv2.connectedComponentsWithStats(image, connectivity=8, ltype=cv2.CV_32S)
    if mask.all():  # there is no background to be far from
        return np.asarray(connected, np.int32)
    depth = cv2.distanceTransform(image, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    objects = np.zeros(mask.shape, np.int32)
    found = 0
    for number in range(1, count):
        left, top, width, height = boxes[number, :4]
        box = np.s_[top : top + height, left : left + width]
        own = connected[box] == number
        pieces = _pieces(np.where(own, depth[box], 0), own, distance)
        objects[box][own] = pieces[own] + found
        found += int(pieces.max())
    return objects


def _pieces(depth: npt.NDArray[np.float32], own: Mask, distance: int) -> Objects:
    """Number the pieces of one component, `own`, within its box; `depth` is 0 outside of it."""
    around = np.ones((2 * distance + 1, 2 * distance + 1), np.uint8)
    peaks = own & (depth == cv2.dilate(depth, around))
    # Squares of this side around two peaks touch exactly if the peaks are at most `distance` apart.
    square = np.ones((distance, distance), np.uint8)
    near = cv2.dilate(np.pad(peaks, distance).view(np.uint8), square)
    markers = np.where(peaks, components(near > 0)[distance:-distance, distance:-distance], 0)
    if markers.max() == 1:
        return own.astype(np.int32)
    flooded = segmentation.watershed(-depth, markers, mask=own, connectivity=2)  # type: ignore[no-untyped-call]
    # Peaks that are near to each other across a gap may end up in two pieces.
    return np.asarray(measure.label(flooded, connectivity=2), np.int32)  # type: ignore[no-untyped-call]
