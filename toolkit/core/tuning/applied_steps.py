"""The steps of a recipe that no histogram tells: one after the other is tried by applying it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from toolkit.core.arrays import Floats, Integers
from toolkit.core.masks.objects import components
from toolkit.core.recipe.recipe import WHOLE_MASK, Emptiness, Recipe, Triplet, Watershed
from toolkit.core.tuning.area_histograms import candidate_areas, changed
from toolkit.core.tuning.grids import Blocks, Sweep, Tally
from toolkit.core.tuning.recipe_scores import Evidence, Examples

TRIED_THRESHOLDS = tuple(number / 20 for number in range(1, 20))
"""Thresholds that are tried by applying them."""

THRESHOLD_AGAIN = "threshold again"
"""The step that tries the threshold once more, after those that may have moved it."""

_TOPS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
_EMPTINESS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
_TOP_PIXELS = (16, 256)
_RADII = (1, 2, 3, 5)
_HOLES = (16, 64, 256, WHOLE_MASK)
_COUNTS = (1, 2, 3, 5)
_DISTANCES = (2, 3, 5, 8, 12, 20)
_SIZES = 10


@dataclass(frozen=True)
class Scale:
    """How large what is looked for is: minimum areas and minimum object sizes worth trying, in pixels, ascending."""

    areas: tuple[int, ...]
    object_sizes: tuple[int, ...]


def scale_of(examples: Examples) -> Scale:
    """The scale of the true masks of a single class; objects are the known ones, or connected pixels."""
    areas, sizes = [], []
    for example in examples("measuring true masks"):
        truth = example.labels == 1
        areas.append(int(truth.sum()))
        objects = components(truth) if example.objects is None else np.where(truth, example.objects, 0)
        sizes += np.bincount(objects.ravel())[1:].tolist()
    return Scale(_worth_trying(areas), _worth_trying(sizes))


def _worth_trying(sizes: Sequence[int]) -> tuple[int, ...]:
    return tuple(candidate_areas(np.array(sizes, np.int64), _SIZES)[1:].tolist())


Candidates = Callable[[Recipe], list[Recipe]]
"""From what a recipe is so far to what a step could make of it."""


@dataclass(frozen=True)
class Coordinate:
    """What a step of a class can be changed to."""

    index: int
    scale: Scale
    has_presence: bool

    def candidates(self, name: str) -> Candidates:
        """What the step of a name could make of a recipe; a name that is none of ours is one of the user's."""
        if name == "split":
            return splits
        if name == THRESHOLD_AGAIN:
            return self.thresholds_nearby
        return COORDINATES[name](self) if name in COORDINATES else self.own(name)

    def thresholds(self, recipe: Recipe) -> list[Recipe]:
        """Nineteen thresholds."""
        return [changed(recipe, self.index, threshold=value) for value in TRIED_THRESHOLDS]

    def thresholds_nearby(self, recipe: Recipe) -> list[Recipe]:
        """The two next lower and higher thresholds."""
        now = recipe.classes[self.index].threshold
        near = sorted(TRIED_THRESHOLDS, key=lambda value: abs(value - now))[:5]
        return [changed(recipe, self.index, threshold=value) for value in near]

    def minimum_areas(self, recipe: Recipe) -> list[Recipe]:
        """Minimum areas."""
        return [changed(recipe, self.index, minimum_area=value) for value in (0, *self.scale.areas)]

    def object_sizes(self, recipe: Recipe) -> list[Recipe]:
        """Minimum sizes of objects."""
        return [changed(recipe, self.index, minimum_object_size=value) for value in (0, *self.scale.object_sizes)]

    def triplets(self, recipe: Recipe) -> list[Recipe]:
        """Top thresholds with areas that must exceed them."""
        pairs = [Triplet(top, area) for top in _TOPS for area in self.scale.areas[::2]]
        return [changed(recipe, self.index, triplet=value) for value in (None, *pairs)]

    def emptiness(self, recipe: Recipe) -> list[Recipe]:
        """Emptiness scores with thresholds of theirs."""
        kinds = [Emptiness("head", 0.0)] if self.has_presence else []
        kinds += [Emptiness("maximum", 0.0), *(Emptiness("mean_of_top", 0.0, count) for count in _TOP_PIXELS)]
        rules = [replace(kind, threshold=value) for kind in kinds for value in _EMPTINESS]
        return [changed(recipe, self.index, emptiness=value) for value in (None, *rules)]

    def openings(self, recipe: Recipe) -> list[Recipe]:
        """Radii of openings."""
        return [changed(recipe, self.index, opening=value) for value in (0, *_RADII)]

    def closings(self, recipe: Recipe) -> list[Recipe]:
        """Radii of closings."""
        return [changed(recipe, self.index, closing=value) for value in (0, *_RADII)]

    def holes(self, recipe: Recipe) -> list[Recipe]:
        """Sizes of holes."""
        return [changed(recipe, self.index, fill_holes=value) for value in (0, *_HOLES)]

    def largest(self, recipe: Recipe) -> list[Recipe]:
        """Counts of objects."""
        return [changed(recipe, self.index, keep_largest=value) for value in (0, *_COUNTS)]

    def own(self, name: str) -> Candidates:
        """With and without a step of the user's."""

        def candidates(recipe: Recipe) -> list[Recipe]:
            others = tuple(step for step in recipe.classes[self.index].steps if step != name)
            return [changed(recipe, self.index, steps=value) for value in (others, (*others, name))]

        return candidates


COORDINATES: dict[str, Callable[[Coordinate], Candidates]] = {
    "threshold": lambda coordinate: coordinate.thresholds,
    "minimum_area": lambda coordinate: coordinate.minimum_areas,
    "triplet": lambda coordinate: coordinate.triplets,
    "emptiness": lambda coordinate: coordinate.emptiness,
    "minimum_object_size": lambda coordinate: coordinate.object_sizes,
    "fill_holes": lambda coordinate: coordinate.holes,
    "opening": lambda coordinate: coordinate.openings,
    "closing": lambda coordinate: coordinate.closings,
    "keep_largest": lambda coordinate: coordinate.largest,
}
"""The steps of one class that can be searched, in the order in which they are."""


def splits(recipe: Recipe) -> list[Recipe]:
    """Distances of the watershed."""
    return [replace(recipe, split=value) for value in (None, *map(Watershed, _DISTANCES))]


class SearchStep(Protocol):
    """One step of the search."""

    @property
    def name(self) -> str:
        """What it is called."""

    def sweeps(self, currents: Sequence[Recipe]) -> Mapping[Recipe, Sequence[Sweep]]:
        """What the step could make of each recipe that has been found so far."""


@dataclass(frozen=True, eq=False)
class CountedStep:
    """A step whose grids hold whole recipes: they do not depend on what was found before."""

    name: str
    grids: Sequence[Sweep]

    def sweeps(self, currents: Sequence[Recipe]) -> Mapping[Recipe, Sequence[Sweep]]:
        """The same for all."""
        return dict.fromkeys(currents, self.grids)


@dataclass(frozen=True, eq=False)
class AppliedStep:
    """A step whose candidates are applied to every image."""

    name: str
    candidates: Candidates
    evidence: Evidence
    blocks: Blocks
    tally: Tally

    def sweeps(self, currents: Sequence[Recipe]) -> Mapping[Recipe, Sequence[Sweep]]:
        """A row of candidates for each, the recipe itself first."""
        rows = {current: list(dict.fromkeys([current, *self.candidates(current)])) for current in currents}
        measured = self.evidence.measure((recipe for row in rows.values() for recipe in row), f"trying {self.name}")
        return {current: [self._sweep(row, measured)] for current, row in rows.items()}

    def _sweep(self, row: Sequence[Recipe], measured: Mapping[Recipe, Floats]) -> Sweep:
        totals = [summed(self.tally.contributions(measured[recipe]), self.blocks) for recipe in row]
        order = np.arange(len(row), dtype=np.float64)
        return Sweep(np.stack(totals, axis=1), (order,), lambda position: row[position[0]])


def summed(contributions: Floats, blocks: Blocks) -> Floats:
    """Sums over the images of each block, of (images, m): `float64 (blocks, m)`."""
    block: Integers = blocks.of_image
    columns = [np.bincount(block, column, blocks.count) for column in contributions.T]
    return np.stack(columns, axis=1)
