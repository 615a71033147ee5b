"""Areas of the masks of many recipes on one image: its objects at a threshold are found once, for all minimum sizes."""

import numpy as np

from toolkit.core.arrays import Floats, Labels, Mask, Presence
from toolkit.core.masks.labels import IGNORE
from toolkit.core.masks.objects import components
from toolkit.core.recipe.postprocess import above, is_empty
from toolkit.core.recipe.probabilities import Stored
from toolkit.core.recipe.recipe import ClassRecipe, Emptiness, Triplet


class ObjectAreas:
    """What a metric of areas measures on one image with a single class."""

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
