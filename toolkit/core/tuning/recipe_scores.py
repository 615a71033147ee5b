"""Scores of recipes on all out-of-fold images: from histograms where that is exact, otherwise by applying them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import cycle

import numpy as np

from toolkit.core.arrays import Floats, Labels, Objects, Planes, Presence
from toolkit.core.masks.labels import IGNORE, Activation, planes
from toolkit.core.metrics.instance import InstanceMetric, true_objects
from toolkit.core.metrics.metric import Metric, case_of
from toolkit.core.recipe.postprocess import Step, masks_of
from toolkit.core.recipe.probabilities import Stored
from toolkit.core.recipe.recipe import ClassRecipe, Recipe, Watershed
from toolkit.core.tuning.area_histograms import AreasByThreshold, AreasCollector, is_of_areas
from toolkit.core.tuning.object_counts import ObjectAreas, ObjectCounts


@dataclass(frozen=True, eq=False)
class Example:
    """One out-of-fold image: its position, its prediction as stored, and its truth.

    Shapes and types are those of `Scorer.add`.
    """

    position: int
    stored: Stored
    labels: Labels
    objects: Objects | None = None
    presence: Presence | None = None


Examples = Callable[[str], Iterable[Example]]
"""One pass over all images, in any order; the text is the title shown as progress."""


def of_one_class(examples: Examples, index: int, classes: int, activation: Activation) -> Examples:
    """The same images with a single class: all other pixels are background."""

    def pass_over(what: str) -> Iterator[Example]:
        for example in examples(what):
            yield replace(
                example,
                stored=example.stored[..., index : index + 1],
                labels=planes(example.labels, classes, activation)[..., index],
                presence=None if example.presence is None else example.presence[index : index + 1],
            )

    return examples if classes == 1 else pass_over


def collect_areas(
    examples: Examples, images: int, classes: int, activation: Activation, chosen: Sequence[int]
) -> list[AreasByThreshold]:
    """The areas at all thresholds of some of the classes, in one pass."""
    collectors = [AreasCollector(images) for _ in chosen]
    for example in examples("counting areas at all thresholds"):
        valid = example.labels != IGNORE
        truth = planes(example.labels, classes, activation)
        for collector, index in zip(collectors, chosen, strict=True):
            collector.add(example.position, example.stored[..., index], truth[..., index] == 1, valid)
    return [collector.areas() for collector in collectors]


class RecipeScores:
    """Measures recipes on all images, each recipe only once."""

    def __init__(
        self,
        examples: Examples,
        images: int,
        metric: Metric,
        activation: Activation,
        *,
        plugins: Mapping[str, Step] | None = None,
        areas: AreasByThreshold | None = None,
    ) -> None:
        """Prepare to measure.

        Args:
            examples: passes over the images.
            images: their number.
            metric: the metric.
            activation: of the classes.
            plugins: steps from plugins by name.
            areas: of a single class, if the metric depends on areas alone and predictions have 8 bits.
        """
        self.examples, self.images, self.metric, self.plugins = examples, images, metric, plugins
        self._activation, self._areas = activation, areas
        self._known: dict[Recipe, Floats] = {}

    def measure(self, recipes: Iterable[Recipe], what: str) -> dict[Recipe, Floats]:
        """The statistics of every image under each recipe, (images, k)."""
        wanted = dict.fromkeys(recipes)
        missing = [recipe for recipe in wanted if recipe not in self._known]
        applied = []
        for recipe in missing:
            found = None if self._areas is None else _counted(self._areas, recipe)
            if found is None:
                applied.append(recipe)
            else:
                self._known[recipe] = found
        if applied:
            self._known.update(self._apply(applied, what))
        return {recipe: self._known[recipe] for recipe in wanted}

    def forget_others(self, recipes: Iterable[Recipe]) -> None:
        """Forget the measurements of all other recipes."""
        kept = set(recipes)
        self._known = {recipe: found for recipe, found in self._known.items() if recipe in kept}

    def measure_each(self, recipe_of: Sequence[Recipe], what: str) -> Floats:
        """The statistics of every image, (images, k), each with its own recipe."""
        rows: dict[int, Floats] = {}
        for example in self.examples(what):
            recipe = recipe_of[example.position]
            rows[example.position] = self._statistics([recipe], example)[recipe]
        return np.stack([rows[position] for position in range(self.images)])

    def _apply(self, recipes: Sequence[Recipe], what: str) -> dict[Recipe, Floats]:
        found: dict[Recipe, Floats] = {}
        for example in self.examples(what):
            for recipe, row in self._statistics(recipes, example).items():
                if recipe not in found:
                    found[recipe] = np.empty((self.images, len(row)))
                found[recipe][example.position] = row
        return found

    def _statistics(self, recipes: Sequence[Recipe], example: Example) -> dict[Recipe, Floats]:
        """The statistics of one image under each recipe; equal masks are measured once."""
        groups: dict[Recipe, list[Watershed | None]] = {}
        for recipe in recipes:
            groups.setdefault(replace(recipe, split=None), []).append(recipe.split)
        measure = _Measure(self.metric, self._activation, example)
        areas = None
        if example.stored.shape[2] == 1 and is_of_areas(self.metric):
            areas = ObjectAreas(example.stored[..., 0], example.labels, example.presence)
        found: dict[Recipe, Floats] = {}
        for plain, splits in groups.items():
            counted = None if areas is None else areas.of(plain.classes[0])
            if counted is not None:
                found |= {replace(plain, split=split): counted for split in splits}
                continue
            masks = masks_of(example.stored, self._activation, plain, example.presence, self.plugins)
            for split, row in measure.rows(masks, splits).items():
                found[replace(plain, split=split)] = row
        return found


class _Measure:
    """The statistics of the masks of one image, each measured once."""

    def __init__(self, metric: Metric, activation: Activation, example: Example) -> None:
        self._metric, self._activation, self._example = metric, activation, example
        self._known: dict[tuple[bytes, Watershed | None], Floats] = {}
        self._objects: list[ObjectCounts] | None = None

    def rows(self, masks: Planes, splits: Sequence[Watershed | None]) -> dict[Watershed | None, Floats]:
        """The statistics of masks whose objects are divided in several ways, if the metric uses objects."""
        digest = blake2b(np.packbits(masks).data, digest_size=16).digest()
        ways = splits if isinstance(self._metric, InstanceMetric) else [None]
        missing = [way for way in dict.fromkeys(ways) if (digest, way) not in self._known]
        if missing:
            self._known |= {(digest, way): row for way, row in zip(missing, self._new(masks, missing), strict=True)}
        return {split: self._known[digest, way] for split, way in zip(splits, cycle(ways))}

    def _new(self, masks: Planes, ways: Sequence[Watershed | None]) -> list[Floats]:
        if self._objects is None:
            case = case_of(masks, self._example.labels, self._activation, self._example.objects)
            if not isinstance(self._metric, InstanceMetric):
                return [self._metric.measure(case)]
            self._objects = [ObjectCounts(true_objects(case, index), case.valid) for index in range(masks.shape[2])]
        by_class = [each.of_mask(masks[..., index], ways) for index, each in enumerate(self._objects)]
        return [np.concatenate(counts).astype(np.float64) for counts in zip(*by_class, strict=True)]


def _counted(areas: AreasByThreshold, recipe: Recipe) -> Floats | None:
    """The statistics of a recipe with only a threshold, a triplet and a minimum area; None for any other recipe."""
    (rule,) = recipe.classes
    plain = ClassRecipe(rule.threshold, triplet=rule.triplet, minimum_area=rule.minimum_area)
    if rule != plain or recipe.split is not None:
        return None
    column = _column(rule.threshold)
    statistics, emptied = areas.statistics(slice(None), slice(column, column + 1))
    kept = areas.sizes[:, column] >= rule.minimum_area
    if rule.triplet is not None:
        kept &= areas.sizes[:, _column(rule.triplet.threshold)] >= rule.triplet.minimum_area
    return np.where(kept[:, None], statistics[:, 0], emptied)


def _column(threshold: float) -> int:
    """The index of the threshold among `THRESHOLDS` that gives the same masks of an 8-bit map."""
    return int(threshold * 255)
