"""How close the maps of two programs are, and whether that is close enough."""

from dataclasses import dataclass, replace

import numpy as np

from toolkit.core.arrays import Presence, Probability
from toolkit.core.masks.labels import Activation
from toolkit.core.recipe.postprocess import masks_of
from toolkit.core.recipe.probabilities import StoredType, to_stored
from toolkit.core.recipe.recipe import ClassRecipe, Recipe


@dataclass(frozen=True)
class Limits:
    """The largest difference of a probability, and the largest share of pixels whose masks may change."""

    largest: float
    changed: float

    def hold(self, largest: float, changed: float) -> bool:
        """Whether a difference and a share are within the limits."""
        return largest <= self.largest and changed <= self.changed


FLOAT32, FLOAT16 = Limits(0.001, 0.001), Limits(0.05, 0.001)
"""For networks that compute the same in another order, and for networks whose weights are rounded to half precision.

The weights of a U-Net trained on TGS Salt, rounded to float16, moved a probability by 0.016 at most, and 0.04 % of the
pixels changed side.
"""


class Closeness:
    """Compares the predictions of images one by one."""

    def __init__(self, recipe: Recipe, activation: Activation, stored_type: StoredType) -> None:
        """Masks are those of the thresholds of a recipe, of maps as they are stored."""
        self._recipe, self._stored_type = thresholds_alone(recipe), stored_type
        self._activation: Activation = activation
        self.largest = 0.0
        self._changed, self._pixels = 0, 0

    def add(self, one: Probability, other: Probability) -> None:
        """Add the maps of an image, `float32 (height, width, classes)`, 0–1; a number that is not finite is infinitely
        far away.
        """
        self._pixels += one.shape[0] * one.shape[1]
        if not self._differ(one, other):
            self._changed += one.shape[0] * one.shape[1]
            return
        masks = [
            masks_of(to_stored(found, self._stored_type), self._activation, self._recipe) for found in (one, other)
        ]
        self._changed += int((masks[0] != masks[1]).any(axis=-1).sum())

    def add_presence(self, one: Presence, other: Presence) -> None:
        """Add the outputs of presence heads, `float32 (classes,)`, 0–1."""
        self._differ(one, other)

    @property
    def changed(self) -> float:
        """The share of pixels whose mask differs in any class, 0–1."""
        return self._changed / max(self._pixels, 1)

    def holds(self, limits: Limits) -> bool:
        """Whether the maps are close enough."""
        return limits.hold(self.largest, self.changed)

    def _differ(self, one: Probability, other: Probability) -> bool:
        """Count the largest difference; returns whether all numbers are finite."""
        difference = float(np.abs(one - other).max())
        is_finite = bool(np.isfinite(difference))
        self.largest = max(self.largest, difference if is_finite else float("inf"))
        return is_finite


def thresholds_alone(recipe: Recipe) -> Recipe:
    """The recipe without what depends on more than one pixel: only thresholds, and what is between classes."""
    rules = tuple(ClassRecipe(threshold=rule.threshold) for rule in recipe.classes)
    return replace(recipe, classes=rules, split=None)
