"""Cleaning masks: opening, closing, filling holes, removing small objects, keeping the largest."""

import cv2
import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Integers, Mask
from toolkit.core.images.chunks import chunks, count_values, look_up


def opened(mask: Mask, radius: int) -> Mask:
    """Remove foreground into which no disc of this radius (pixels) fits; the image continues beyond its edges."""
    return _morphed(mask, cv2.MORPH_OPEN, radius)


def closed(mask: Mask, radius: int) -> Mask:
    """Fill background into which no disc of this radius (pixels) fits; the image continues beyond its edges."""
    return _morphed(mask, cv2.MORPH_CLOSE, radius)


def _morphed(mask: Mask, operation: int, radius: int) -> Mask:
    across = np.arange(-radius, radius + 1)
    disc = (across[:, None] ** 2 + across**2 <= radius**2).astype(np.uint8)
    return _bytes_of(cv2.morphologyEx(_as_bytes(mask), operation, disc))


def without_holes(mask: Mask, largest: int) -> Mask:
    """Fill holes of at most `largest` pixels.

    A hole is background that does not reach the edge of the image. Its pixels connect along rows and columns only,
    because pixels of objects connect at corners too: a diagonal line separates its two sides.
    """
    holes, sizes = _numbered(~mask, connectivity=4)
    filled = sizes <= largest
    filled[0] = False  # number 0 is the mask itself
    for side in (holes[0], holes[-1], holes[:, 0], holes[:, -1]):
        filled[side] = False
    return np.asarray(mask | look_up(filled, holes), np.bool_)


def without_small_objects(mask: Mask, minimum: int) -> Mask:
    """Remove objects of fewer than `minimum` pixels."""
    places = np.flatnonzero(mask)  # often few of all pixels, so everything else is done with them alone
    if not len(places):
        return mask
    count, objects = cv2.connectedComponents(_as_bytes(mask), connectivity=8, ltype=cv2.CV_32S)
    numbers = np.asarray(objects).ravel()[places]
    small = np.bincount(numbers, minlength=count) < minimum
    small[0] = False  # the background
    if not small.any():
        return mask
    kept = np.array(mask, np.bool_, order="C")
    kept.ravel()[places[small[numbers]]] = False
    return kept


def largest_objects(mask: Mask, count: int) -> Mask:
    """Keep the `count` largest objects; among equals, those that come first, row by row."""
    objects, sizes = _numbered(mask)
    if len(sizes) - 1 <= count:
        return mask
    first = np.zeros(len(sizes), np.int64)
    flat = objects.ravel()
    for chunk in reversed(list(chunks(flat.shape))):
        first[flat[chunk][::-1]] = np.arange(chunk.start, chunk.stop)[::-1]  # the first pixel is written last
    order = np.lexsort((first[1:], -sizes[1:])) + 1
    kept = np.zeros(len(sizes), np.bool_)
    kept[order[:count]] = True
    return look_up(kept, objects)


def _numbered(mask: Mask, connectivity: int = 8) -> tuple[npt.NDArray[np.int32], Integers]:
    """Objects numbered from 1 and their sizes; entry 0 is the background."""
    # The statistics of OpenCV take six times as long.
    count, objects = cv2.connectedComponents(_as_bytes(mask), connectivity=connectivity, ltype=cv2.CV_32S)
    return np.asarray(objects, np.int32), count_values(objects, count)


def _as_bytes(mask: Mask) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(mask).view(np.uint8)


def _bytes_of(mask: npt.NDArray[np.generic]) -> Mask:
    return np.asarray(mask).view(np.bool_)
