"""Counts of matched objects for many masks of one image, in which equal components are divided and counted once."""

from collections.abc import Sequence

import numpy as np

from toolkit.core.arrays import Integers, Mask, Objects
from toolkit.core.masks.objects import ComponentCache, Dividable, Slices
from toolkit.core.metrics.instance import hits_by_object
from toolkit.core.recipe.recipe import Watershed

_CACHED_BYTES = 1 << 26


class ObjectCounts:
    """The counts of `matches`, component by component; the objects of a known component are not counted again."""

    def __init__(self, truth: Objects, valid: Mask) -> None:
        """Take the true objects, `int32 (height, width)` with 0 in ignored pixels, and the pixels not ignored."""
        self._truth, self._ignored = truth, None if valid.all() else ~valid
        self._areas = np.bincount(truth.ravel())
        self._components: ComponentCache = {}
        self._known: dict[tuple[int, int, int], Integers] = {}

    def of_mask(self, mask: Mask, splits: Sequence[Watershed | None]) -> list[Integers]:
        """The counts of `matches`, `int64 (12,)`, for a mask after each of several ways to divide touching objects."""
        if sum(component.nbytes for component in self._components.values()) > _CACHED_BYTES:
            self._components.clear()
            self._known.clear()  # its keys hold ids of arrays, which are valid only while the arrays exist
        dividable = Dividable(mask, self._components)
        whole = hits_by_object(self._without_ignored(dividable.connected), self._truth, self._areas)
        return [self._of_split(dividable, whole, split) for split in splits]

    def _of_split(self, dividable: Dividable, whole: Integers, split: Watershed | None) -> Integers:
        counts = np.empty(whole.shape[1] + 1, np.int64)
        counts[:-1], counts[-1] = whole.sum(axis=0), np.count_nonzero(self._areas[1:])
        if split is not None:
            for number, place, objects in dividable.divided_components(split.distance):
                counts[:-1] += self._of_component(place, objects) - whole[number]
        return counts

    def _of_component(self, place: Slices, objects: Objects) -> Integers:
        key = (place[0].start, place[1].start, id(objects))
        if key not in self._known:
            seen = self._without_ignored(objects, place)
            self._known[key] = hits_by_object(seen, self._truth[place], self._areas).sum(axis=0)
        return self._known[key]

    def _without_ignored(self, objects: Objects, place: Slices = np.s_[:, :]) -> Objects:
        # Ignored pixels are removed after the objects are found, because they must not divide an object.
        return objects if self._ignored is None else np.where(self._ignored[place], np.int32(0), objects)
