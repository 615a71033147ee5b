"""Counts for many masks of one image, of matched objects or of pixels: equal components are found and counted once."""

from collections.abc import Sequence

import numpy as np

from toolkit.core.arrays import Floats, Integers, Labels, Mask, Objects, Presence
from toolkit.core.masks.labels import IGNORE
from toolkit.core.masks.objects import ComponentCache, Dividable, Slices, components
from toolkit.core.metrics.instance import hits_by_object
from toolkit.core.recipe.postprocess import above, is_empty
from toolkit.core.recipe.probabilities import Stored
from toolkit.core.recipe.recipe import ClassRecipe, Emptiness, Triplet, Watershed

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


class ObjectAreas:
    """What a metric of areas measures on one image with a single class: objects are found once for each threshold."""

    def __init__(self, stored: Stored, labels: Labels, presence: Presence | None) -> None:
        """Take a kept map and its truth, both (height, width), and the output of the presence head, if there is one."""
        self._stored, self._presence = stored, None if presence is None else float(presence[0])
        self._truth, self._ignored = (labels == 1).ravel(), (labels == IGNORE).ravel()
        self._has_ignored = bool(self._ignored.any())
        self._areas = (np.count_nonzero(self._truth), labels.size - np.count_nonzero(self._ignored))
        self._objects: dict[float, Floats] = {}
        self._empty: dict[tuple[Emptiness | None, Triplet | None], bool] = {}

    def of(self, rule: ClassRecipe) -> Floats | None:
        """The four areas, `float64 (4,)`; None for a rule that changes masks by more than removing small objects."""
        if rule != ClassRecipe(
            rule.threshold,
            rule.emptiness,
            rule.triplet,
            minimum_object_size=rule.minimum_object_size,
            minimum_area=rule.minimum_area,
        ):
            return None
        intersection = predicted = 0.0
        if not self._is_empty(rule):
            objects = self._objects_above(rule.threshold)
            kept = objects[:, objects[0] >= rule.minimum_object_size].sum(axis=1)
            if kept[0] >= rule.minimum_area:
                _, predicted, intersection = kept
        return np.array([intersection, predicted, *self._areas], np.float64)

    def _is_empty(self, rule: ClassRecipe) -> bool:
        key = rule.emptiness, rule.triplet
        if key not in self._empty:
            self._empty[key] = is_empty(self._stored, rule, self._presence)
        return self._empty[key]

    def _objects_above(self, threshold: float) -> Floats:
        """Of each object its size, and its pixels that count and that are true, `float64 (3, objects)`."""
        if threshold not in self._objects:
            self._objects[threshold] = self._measured(above(self._stored, threshold))
        return self._objects[threshold]

    def _measured(self, mask: Mask) -> Floats:
        places = np.flatnonzero(mask)  # often few of all pixels
        numbers = components(mask).ravel()[places]
        count = int(numbers.max(initial=0)) + 1
        sizes = np.bincount(numbers, minlength=count)
        counted = np.bincount(numbers[~self._ignored[places]], minlength=count) if self._has_ignored else sizes
        true = np.bincount(numbers[self._truth[places]], minlength=count)
        return np.stack([sizes, counted, true])[:, 1:].astype(np.float64)
