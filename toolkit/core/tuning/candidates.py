"""The values that each step of a recipe is tried with."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from toolkit.core.masks.objects import components
from toolkit.core.recipe.recipe import WHOLE_MASK, Emptiness, Recipe, Triplet, Watershed
from toolkit.core.tuning.area_histograms import candidate_areas, changed
from toolkit.core.tuning.recipe_scores import Examples

TRIED_THRESHOLDS = tuple(number / 20 for number in range(1, 20))
"""Thresholds that are tried by applying them to every image."""

_TOP_THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
_EMPTINESS_THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
_TOP_PIXELS = (16, 256)
_RADII = (1, 2, 3, 5)
_HOLES = (16, 64, 256, WHOLE_MASK)
_COUNTS = (1, 2, 3, 5)
_DISTANCES = (2, 3, 5, 8, 12, 20)
_SIZES = 10
_NEARBY = 5

Candidates = Callable[[Recipe], list[Recipe]]
"""From the recipe so far to the recipes that a step could make of it."""


@dataclass(frozen=True)
class Scale:
    """The sizes of the true masks: minimum areas and minimum object sizes worth trying, in pixels, ascending.

    `has_presence` says whether the network has a presence head.
    """

    areas: tuple[int, ...]
    object_sizes: tuple[int, ...]
    has_presence: bool


def scale_of(examples: Examples, *, has_presence: bool) -> Scale:
    """The scale of the true masks of a single class; objects are the numbered ones, or connected components."""
    areas, sizes = [], []
    for example in examples("measuring true masks"):
        truth = example.labels == 1
        areas.append(int(truth.sum()))
        objects = components(truth) if example.objects is None else np.where(truth, example.objects, 0)
        sizes += np.bincount(objects.ravel())[1:].tolist()
    return Scale(_worth_trying(areas), _worth_trying(sizes), has_presence)


def _worth_trying(sizes: Sequence[int]) -> tuple[int, ...]:
    return tuple(candidate_areas(np.array(sizes, np.int64), _SIZES)[1:].tolist())


def _triplets(scale: Scale) -> Sequence[Triplet | None]:
    return [None, *(Triplet(top, area) for top in _TOP_THRESHOLDS for area in scale.areas[::2])]


def _emptiness(scale: Scale) -> Sequence[Emptiness | None]:
    kinds = [Emptiness("head", 0.0)] if scale.has_presence else []
    kinds += [Emptiness("maximum", 0.0), *(Emptiness("mean_of_top", 0.0, count) for count in _TOP_PIXELS)]
    return [None, *(replace(kind, threshold=value) for kind in kinds for value in _EMPTINESS_THRESHOLDS)]


VALUES: Mapping[str, Callable[[Scale], Sequence[Any]]] = {
    "threshold": lambda _: TRIED_THRESHOLDS,
    "minimum_area": lambda scale: (0, *scale.areas),
    "triplet": _triplets,
    "emptiness": _emptiness,
    "minimum_object_size": lambda scale: (0, *scale.object_sizes),
    "fill_holes": lambda _: (0, *_HOLES),
    "opening": lambda _: (0, *_RADII),
    "closing": lambda _: (0, *_RADII),
    "keep_largest": lambda _: (0, *_COUNTS),
}
"""The steps of one class in the order in which they are searched, with the values of each. A step is a field of
`ClassRecipe`; the first value has no effect."""


def of_class(name: str, index: int, scale: Scale) -> Candidates:
    """What a step makes of the rule of a class; a name that is not in `VALUES` is a step from plugins."""
    if name not in VALUES:
        return _with_and_without(name, index)
    return lambda recipe: [changed(recipe, index, **{name: value}) for value in VALUES[name](scale)]


def _with_and_without(name: str, index: int) -> Candidates:
    def candidates(recipe: Recipe) -> list[Recipe]:
        others = tuple(step for step in recipe.classes[index].steps if step != name)
        return [changed(recipe, index, steps=steps) for steps in (others, (*others, name))]

    return candidates


def thresholds_nearby(index: int) -> Candidates:
    """The threshold itself and the next two lower and higher ones."""

    def candidates(recipe: Recipe) -> list[Recipe]:
        now = recipe.classes[index].threshold
        near = sorted(TRIED_THRESHOLDS, key=lambda value: abs(value - now))[:_NEARBY]
        return [changed(recipe, index, threshold=value) for value in near]

    return candidates


def watersheds(recipe: Recipe) -> list[Recipe]:
    """Without a watershed, and with distances between markers in pixels."""
    return [replace(recipe, split=value) for value in (None, *map(Watershed, _DISTANCES))]
