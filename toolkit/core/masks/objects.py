"""Objects of a mask: its connected components, and touching ones divided by a watershed."""

from collections.abc import Iterator
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt
import scipy
from skimage import measure, segmentation

from toolkit.core.arrays import Mask, Objects

Box = tuple[slice, slice]
"""Rows and columns."""


def components(mask: Mask) -> Objects:
    """Number the connected components of a mask `bool (height, width)` from 1; pixels that touch at a corner connect.

    So does `skimage.morphology.label`, with which the participants of DSB 2018 and Airbus made objects of masks.
    """
    _, numbered = cv2.connectedComponents(np.ascontiguousarray(mask, np.uint8), connectivity=8, ltype=cv2.CV_32S)
    return np.asarray(numbered, np.int32)


def divided(mask: Mask, distance: int) -> Objects:
    """Number the objects of a mask from 1, touching ones divided where they narrow; see `Dividable`."""
    return Dividable(mask).divided(distance)


class Dividable:
    """A mask whose touching objects can be divided where they narrow, at any number of distances.

    In each component a watershed floods the distance to the background from its peaks. A peak is a pixel whose distance
    no other one of the component within `distance` rows and columns exceeds; peaks that near to each other are equally
    high, such as those along the middle of a bar, and are flooded as one. What lies outside of the image is no
    background.

    `connected` numbers the components from 1, `int32 (height, width)`.
    """

    def __init__(self, mask: Mask, known: "Components | None" = None) -> None:
        """Look at a mask `bool (height, width)`; `known` are components of other masks, to which its own are added."""
        self.connected, self._sides = components(mask), mask.shape
        self._known: Components = {} if known is None else known

    @cached_property
    def _found(self) -> list[tuple[Box, "Component"]]:
        """The components by number, in their boxes."""
        found = []
        height, width = self._sides
        # OpenCV tells the boxes too, but takes several times as long.
        for number, (rows, columns) in enumerate(scipy.ndimage.find_objects(self.connected), start=1):
            own = self.connected[rows, columns] == number
            inside = (rows.start > 0, rows.stop < height, columns.start > 0, columns.stop < width)
            key = (own.shape, inside, np.packbits(own).tobytes())
            if key not in self._known:
                self._known[key] = Component(own, inside)
            found.append(((rows, columns), self._known[key]))
        return found

    def divided(self, distance: int) -> Objects:
        """Number the objects from 1, component by component.

        Args:
            distance: in pixels, at least 1.

        Returns:
            `int32 (height, width)`; each pixel of the mask belongs to one object, and no other.
        """
        divided = list(self.pieces(distance))
        counts = np.ones(len(self._found) + 1, np.int32)
        counts[0] = 0
        counts[[number for number, _, _ in divided]] = [pieces.max() for _, _, pieces in divided]
        last = np.cumsum(counts, dtype=np.int32)
        objects = last[self.connected]
        for number, box, pieces in divided:
            np.copyto(objects[box], pieces + last[number - 1], where=pieces > 0)
        return objects

    def pieces(self, distance: int) -> Iterator[tuple[int, Box, Objects]]:
        """The components that are divided: number, box and, `int32` of its shape, their pieces numbered from 1."""
        for number, (box, component) in enumerate(self._found, start=1):
            pieces = component.pieces(distance)
            if pieces is not None:
                yield number, box, pieces


_Sides = tuple[bool, bool, bool, bool]


class Component:
    """Connected pixels in their box; `inside` says on which sides, top, bottom, left and right, the image goes on."""

    def __init__(self, own: Mask, inside: _Sides) -> None:
        """Take the pixels, `bool (height, width)` of the box."""
        self._own, self._inside = own, inside
        self._depth: npt.NDArray[np.float32] | None = None
        self._flooded: dict[bytes, Objects] = {}
        self._pieces: dict[int, Objects | None] = {}
        # Peaks that are one at some distance are so at any larger one; none are further apart than their box is long.
        self._whole_from = max(own.shape) - 1
        if own.all() and not any(inside):  # there is no background to be far from
            self._whole_from = 0

    @property
    def nbytes(self) -> int:
        """How much memory it takes, about."""
        return self._own.size * (5 + 8 * len(self._flooded))

    def pieces(self, distance: int) -> Objects | None:
        """Number the pieces within the box from 1, `int32` of its shape; None if the component is not divided."""
        if distance >= self._whole_from:
            return None
        if distance not in self._pieces:
            self._pieces[distance] = self._divided(distance)
        return self._pieces[distance]

    def _divided(self, distance: int) -> Objects | None:
        if self._depth is None:
            self._depth = self._distance_to_background()
        around = np.ones((2 * distance + 1, 2 * distance + 1), np.uint8)
        peaks = self._own & (self._depth == cv2.dilate(self._depth, around))
        *_, width, height = cv2.boundingRect(peaks.view(np.uint8))
        if max(width, height) <= distance + 1:
            self._whole_from = distance
            return None
        # Squares of this side around two peaks touch exactly if the peaks are at most `distance` apart.
        near = cv2.dilate(_framed(peaks, (distance,) * 4), np.ones((distance, distance), np.uint8))
        markers = np.where(peaks, components(near > 0)[distance:-distance, distance:-distance], 0)
        if markers.max() == 1:
            self._whole_from = distance
            return None
        key = markers.tobytes()  # several distances may have the same
        if key not in self._flooded:
            basins = segmentation.watershed(  # type: ignore[no-untyped-call]
                -self._depth, markers, mask=self._own, connectivity=2
            )
            # Peaks that are near to each other across a gap may end up in two pieces.
            found = measure.label(basins, connectivity=2)  # type: ignore[no-untyped-call]
            self._flooded[key] = np.asarray(found, np.int32)
        return self._flooded[key]

    def _distance_to_background(self) -> npt.NDArray[np.float32]:
        """Squared, in pixels; the nearest background lies within or next to the box, as components do not touch."""
        top, bottom, left, right = map(int, self._inside)
        image = _framed(self._own, (top, bottom, left, right))
        depth = cv2.distanceTransform(image, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        height, width = self._own.shape
        # OpenCV says 7.0710678 here and 7.0710683 there of the same distance; squared ones are whole numbers.
        return np.rint(np.square(depth[top : top + height, left : left + width]))


def _framed(mask: Mask, sides: tuple[int, int, int, int]) -> npt.NDArray[np.uint8]:
    """As bytes with so much background at the top, bottom, left and right."""
    return np.asarray(cv2.copyMakeBorder(mask.view(np.uint8), *sides, cv2.BORDER_CONSTANT, value=0), np.uint8)


Components = dict[tuple[tuple[int, ...], _Sides, bytes], Component]
"""Components of masks of one size by what they look like, wherever they are: a store for `Dividable` to fill."""
