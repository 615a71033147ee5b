"""Which objects of many masks of one image hit true ones: what the masks have in common is divided and counted once."""

from collections.abc import Sequence

import numpy as np

from toolkit.core.arrays import Integers, Mask, Objects
from toolkit.core.masks.objects import Components, Dividable
from toolkit.core.metrics.instance import hits_by_object
from toolkit.core.recipe.recipe import Watershed

_BYTES_OF_COMPONENTS = 1 << 26


class ObjectCounts:
    """Counts as `matches` does, component by component: the pieces of one that is not new are known."""

    def __init__(self, truth: Objects, valid: Mask) -> None:
        """Take the true objects, `int32 (height, width)`, 0 in ignored pixels, and where these are not."""
        self._truth, self._ignored = truth, None if valid.all() else ~valid
        self._areas = np.bincount(truth.ravel())
        self._components: Components = {}
        self._known: dict[tuple[int, int, int], Integers] = {}

    def of_mask(self, mask: Mask, splits: Sequence[Watershed | None]) -> list[Integers]:
        """What `matches` counts on a mask with touching objects divided in several ways, `int64 (12,)` each."""
        if sum(component.nbytes for component in self._components.values()) > _BYTES_OF_COMPONENTS:
            self._components.clear()
            self._known.clear()  # its keys are only those of arrays that are still there
        dividable = Dividable(mask, self._components)
        whole = hits_by_object(self._seen(dividable.connected), self._truth, self._areas)
        return [self._of_split(dividable, whole, split) for split in splits]

    def _of_split(self, dividable: Dividable, whole: Integers, split: Watershed | None) -> Integers:
        counts = np.empty(whole.shape[1] + 1, np.int64)
        counts[:-1], counts[-1] = whole.sum(axis=0), np.count_nonzero(self._areas[1:])
        if split is not None:
            for number, box, pieces in dividable.pieces(split.distance):
                counts[:-1] += self._of_pieces(box, pieces) - whole[number]
        return counts

    def _of_pieces(self, box: tuple[slice, slice], pieces: Objects) -> Integers:
        key = (box[0].start, box[1].start, id(pieces))
        if key not in self._known:
            self._known[key] = hits_by_object(self._seen(pieces, box), self._truth[box], self._areas).sum(axis=0)
        return self._known[key]

    def _seen(self, objects: Objects, box: tuple[slice, slice] = np.s_[:, :]) -> Objects:
        # Void is taken away after the objects are found: it must not divide one into two.
        return objects if self._ignored is None else np.where(self._ignored[box], np.int32(0), objects)
