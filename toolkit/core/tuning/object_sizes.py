"""Thresholds with minimum object sizes, all at once, from the component table of each image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from toolkit.core.arrays import Floats, Integers
from toolkit.core.masks.labels import IGNORE
from toolkit.core.masks.objects import components
from toolkit.core.metrics.instance import matches_above
from toolkit.core.metrics.metric import AREAS
from toolkit.core.recipe.postprocess import above, is_empty
from toolkit.core.recipe.recipe import ClassRecipe, Recipe
from toolkit.core.tuning.applied_steps import TRIED_THRESHOLDS
from toolkit.core.tuning.area_histograms import FROM_UNTUNED, THRESHOLDS, recipe_of
from toolkit.core.tuning.component_tree import kept_areas
from toolkit.core.tuning.grids import Blocks, Sweep, Tally
from toolkit.core.tuning.recipe_scores import Evidence, Example

OBJECT_SIZE = "minimum_object_size"


@dataclass(frozen=True, eq=False)
class ObjectSizeStep:
    """The minimum object size of a single class, jointly with its threshold; `minimum_sizes` ascend from 0.

    What may leave an image empty stays as it was found before; a recipe has nothing else by then.
    """

    evidence: Evidence
    blocks: Blocks
    minimum_sizes: Integers
    name: str = OBJECT_SIZE

    def sweeps(self, currents: Sequence[Recipe]) -> Mapping[Recipe, Sequence[Sweep]]:
        """All thresholds and sizes for each rule about empty images that was found so far."""
        tally = Tally(self.evidence.metric)
        rules = {current: replace(current.classes[0], threshold=ClassRecipe().threshold) for current in currents}
        totals: dict[ClassRecipe, Floats] = {}
        for example in self.evidence.examples("counting objects at all thresholds"):
            block = self.blocks.of_image[example.position]
            found, emptied, sizes = self._contributions(example, tally)
            for rule in dict.fromkeys(rules.values()):
                if rule not in totals:
                    totals[rule] = np.zeros((self.blocks.count, *found.shape))
                presence = None if example.presence is None else float(example.presence[0])
                if is_empty(example.stored[..., 0], rule, presence):
                    totals[rule][block] += emptied
                elif rule.minimum_area:
                    totals[rule][block] += np.where((sizes >= rule.minimum_area)[..., None], found, emptied)
                else:
                    totals[rule][block] += found
        return {current: [self._sweep(rule, totals[rule])] for current, rule in rules.items()}

    def _contributions(self, example: Example, tally: Tally) -> tuple[Floats, Floats, Integers]:
        """What an image adds at every threshold and size, (255, sizes, m), empty, (m,), and how large its mask is."""
        truth, valid = example.labels == 1, example.labels != IGNORE
        kept = kept_areas(example.stored[..., 0], truth, self.minimum_sizes, None if valid.all() else valid)
        statistics = np.empty((*kept.predicted.shape, AREAS))
        statistics[..., 0], statistics[..., 1] = kept.intersection, kept.predicted
        statistics[..., 2], statistics[..., 3] = truth.sum(), valid.sum()
        emptied = np.array([0, 0, truth.sum(), valid.sum()], np.float64)
        return tally.contributions(statistics), tally.contributions(emptied[None])[0], kept.sizes

    def _sweep(self, rule: ClassRecipe, totals: Floats) -> Sweep:
        def recipe(position: tuple[int, ...]) -> Recipe:
            threshold, size = position
            least = int(self.minimum_sizes[size])
            return recipe_of(replace(rule, threshold=float(THRESHOLDS[threshold]), minimum_object_size=least))

        return Sweep(totals, (FROM_UNTUNED, np.arange(len(self.minimum_sizes), dtype=np.float64)), recipe)


def sweep_objects(evidence: Evidence, blocks: Blocks, minimum_sizes: Integers) -> Sweep:
    """Thresholds with minimum object sizes for a metric of objects: these are matched once a threshold.

    Args:
        evidence: of a single class.
        blocks: of the images.
        minimum_sizes: in pixels, ascending from 0.
    """
    tally = Tally(evidence.metric)
    totals: Floats | None = None
    for example in evidence.examples("matching objects"):
        truth, valid = example.labels == 1, example.labels != IGNORE
        known = components(truth) if example.objects is None else np.where(truth, example.objects, 0)
        counts = []
        for threshold in TRIED_THRESHOLDS:
            objects = components(above(example.stored[..., 0], threshold))
            sizes = np.bincount(objects.ravel())
            seen = objects if valid.all() else np.where(valid, objects, np.int32(0))
            counts.append(matches_above(seen, known.astype(np.int32, copy=False), sizes, minimum_sizes))
        found = tally.contributions(np.array(counts, np.float64))
        if totals is None:
            totals = np.zeros((blocks.count, *found.shape))
        totals[blocks.of_image[example.position]] += found
    if totals is None:
        raise ValueError("there are no images")

    def recipe(position: tuple[int, ...]) -> Recipe:
        threshold, size = position
        return recipe_of(ClassRecipe(TRIED_THRESHOLDS[threshold], minimum_object_size=int(minimum_sizes[size])))

    away = np.abs(np.array(TRIED_THRESHOLDS) - ClassRecipe().threshold)
    return Sweep(totals, (away, np.arange(len(minimum_sizes), dtype=np.float64)), recipe)
