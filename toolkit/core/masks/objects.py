"""Objects of a mask: its connected components, or these with touching objects divided by a watershed."""

from collections.abc import Iterator
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt
import scipy
from skimage import measure, segmentation

from toolkit.core.arrays import Mask, Objects

Slices = tuple[slice, slice]
"""Rows and columns of a window."""


def components(mask: Mask) -> Objects:
    """Number the connected components of a mask `bool (height, width)` from 1; pixels that touch at a corner connect.

    `skimage.morphology.label`, used by participants of DSB 2018 and Airbus to get objects, connects pixels likewise.
    """
    _, numbered = cv2.connectedComponents(np.ascontiguousarray(mask, np.uint8), connectivity=8, ltype=cv2.CV_32S)
    return np.asarray(numbered, np.int32)


def divided(mask: Mask, distance: int) -> Objects:
    """Number the objects of a mask from 1 after dividing touching objects at narrow places; see `Dividable`."""
    return Dividable(mask).divided(distance)


class Dividable:
    """A mask whose touching objects can be divided at narrow places, for any number of distances.

    In each component a watershed floods the distance to the background from its peaks. A peak is a pixel that no pixel
    of the component within `distance` rows and columns exceeds. Peaks within that distance of each other are equally
    high (for example along the middle of a bar) and are flooded as one. Pixels outside the image are not background.

    `connected` numbers the components from 1, `int32 (height, width)`.
    """

    def __init__(self, mask: Mask, known: "ComponentCache | None" = None) -> None:
        """Take a mask `bool (height, width)`; its components are looked up in `known`, and added to it if new."""
        self.connected, self._size = components(mask), mask.shape
        self._known: ComponentCache = {} if known is None else known

    @cached_property
    def _components(self) -> list[tuple[Slices, "Component"]]:
        """The components in the order of their numbers, each with the window that it fills."""
        found = []
        height, width = self._size
        # OpenCV also gives these windows, but takes several times as long.
        for number, (rows, columns) in enumerate(scipy.ndimage.find_objects(self.connected), start=1):
            pixels = self.connected[rows, columns] == number
            inside = (rows.start > 0, rows.stop < height, columns.start > 0, columns.stop < width)
            key = (pixels.shape, inside, np.packbits(pixels).tobytes())
            if key not in self._known:
                self._known[key] = Component(pixels, inside)
            found.append(((rows, columns), self._known[key]))
        return found

    def divided(self, distance: int) -> Objects:
        """Number the objects from 1, component by component.

        Args:
            distance: in pixels, at least 1.

        Returns:
            `int32 (height, width)`: each pixel of the mask belongs to one object; 0 outside the mask.
        """
        divided = list(self.divided_components(distance))
        counts = np.ones(len(self._components) + 1, np.int32)
        counts[0] = 0
        counts[[number for number, _, _ in divided]] = [objects.max() for _, _, objects in divided]
        last = np.cumsum(counts, dtype=np.int32)
        found = last[self.connected]
        for number, place, objects in divided:
            np.copyto(found[place], objects + last[number - 1], where=objects > 0)
        return found

    def divided_components(self, distance: int) -> Iterator[tuple[int, Slices, Objects]]:
        """The components that are divided: number, window, and its objects, numbered from 1, `int32` of its shape."""
        for number, (place, component) in enumerate(self._components, start=1):
            objects = component.objects(distance)
            if objects is not None:
                yield number, place, objects


_Sides = tuple[bool, bool, bool, bool]


class Component:
    """Connected pixels in the smallest window around them.

    `inside` says whether the image continues beyond the window at the top, bottom, left and right.
    """

    def __init__(self, pixels: Mask, inside: _Sides) -> None:
        """Take the pixels of the component, `bool (height, width)` of the window."""
        self._pixels, self._inside = pixels, inside
        self._depth: npt.NDArray[np.float32] | None = None
        self._flooded: dict[bytes, Objects] = {}
        self._objects: dict[int, Objects | None] = {}
        # Peaks that count as one at some distance do so at any larger one; none are further apart than the window.
        self._whole_from = max(pixels.shape) - 1
        if pixels.all() and not any(inside):  # the image has no background
            self._whole_from = 0

    @property
    def nbytes(self) -> int:
        """Approximate memory in bytes."""
        return self._pixels.size * (5 + 8 * len(self._flooded))

    def objects(self, distance: int) -> Objects | None:
        """The objects in the window, numbered from 1, `int32` of its shape; None if the component is not divided."""
        if distance >= self._whole_from:
            return None
        if distance not in self._objects:
            self._objects[distance] = self._divided(distance)
        return self._objects[distance]

    def _divided(self, distance: int) -> Objects | None:
        if self._depth is None:
            self._depth = self._distance_to_background()
        around = np.ones((2 * distance + 1, 2 * distance + 1), np.uint8)
        peaks = self._pixels & (self._depth == cv2.dilate(self._depth, around))
        *_, width, height = cv2.boundingRect(peaks.view(np.uint8))
        if max(width, height) <= distance + 1:
            self._whole_from = distance
            return None
        # Squares with this side around two peaks touch exactly if the peaks are at most `distance` apart.
        near = cv2.dilate(_framed(peaks, (distance,) * 4), np.ones((distance, distance), np.uint8))
        markers = np.where(peaks, components(near > 0)[distance:-distance, distance:-distance], 0)
        if markers.max() == 1:
            self._whole_from = distance
            return None
        key = markers.tobytes()  # several distances may give the same markers
        if key not in self._flooded:
            basins = segmentation.watershed(  # type: ignore[no-untyped-call]
                -self._depth, markers, mask=self._pixels, connectivity=2
            )
            # Peaks close to each other across a gap may belong to separate objects.
            found = measure.label(basins, connectivity=2)  # type: ignore[no-untyped-call]
            self._flooded[key] = np.asarray(found, np.int32)
        return self._flooded[key]

    def _distance_to_background(self) -> npt.NDArray[np.float32]:
        """Squared, in pixels. Components do not touch, so the nearest background is inside or next to the window."""
        top, bottom, left, right = map(int, self._inside)
        image = _framed(self._pixels, (top, bottom, left, right))
        depth = cv2.distanceTransform(image, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        height, width = self._pixels.shape
        # OpenCV may return 7.0710678 and 7.0710683 for equal distances; their squares are whole numbers.
        return np.rint(np.square(depth[top : top + height, left : left + width]))


def _framed(mask: Mask, sides: tuple[int, int, int, int]) -> npt.NDArray[np.uint8]:
    """A mask as bytes, with background added at the top, bottom, left and right."""
    return np.asarray(cv2.copyMakeBorder(mask.view(np.uint8), *sides, cv2.BORDER_CONSTANT, value=0), np.uint8)


ComponentCache = dict[tuple[tuple[int, ...], _Sides, bytes], Component]
"""Components of masks of one size by shape, independent of their place; filled by `Dividable`."""
