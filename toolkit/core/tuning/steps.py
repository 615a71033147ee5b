"""The steps that are searched: for the rule of one class, and for what all classes share."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from toolkit.core.arrays import Floats, Integers
from toolkit.core.metrics.instance import InstanceMetric
from toolkit.core.recipe.postprocess import IDENTITY
from toolkit.core.recipe.probabilities import to_levels
from toolkit.core.recipe.recipe import ClassRecipe, Recipe
from toolkit.core.tuning.applied_steps import (
    THRESHOLD_AGAIN,
    TRIED_THRESHOLDS,
    AppliedStep,
    Candidates,
    Coordinate,
    CountedStep,
    SearchStep,
    scale_of,
    splits,
)
from toolkit.core.tuning.area_histograms import THRESHOLDS, AreasByThreshold, candidate_areas, recipe_of, sweep_areas
from toolkit.core.tuning.empty_images import sweep_emptiness, sweep_triplets
from toolkit.core.tuning.grids import Blocks, Sweep, Tally
from toolkit.core.tuning.object_sizes import OBJECT_SIZE, ObjectSizeStep, sweep_objects
from toolkit.core.tuning.recipe_scores import Evidence, of_one_class
from toolkit.core.tuning.task import BETWEEN, SPLIT, RecipeTask

_NO_AREA = np.zeros(1, np.int64)


@dataclass(frozen=True, eq=False)
class Surface:
    """The score of every threshold with every minimum area or size of objects, and nothing else done.

    `scores` is `float64 (thresholds, minimums)`; `minimum` names the field of `ClassRecipe` that `minimums` are of.
    """

    index: int
    thresholds: Floats
    minimum: str
    minimums: Integers
    scores: Floats


def evidence_of_class(task: RecipeTask, index: int, areas: AreasByThreshold | None) -> Evidence:
    """What measures the rule of one class; `areas` are counted where the metric is one of areas."""
    examples = of_one_class(task.examples, index, task.classes, task.activation)
    counted = areas if task.in_bytes else None
    return Evidence(examples, task.images, task.metric_of_one(), "sigmoid", plugins=task.plugins, areas=counted)


def steps_of_class(
    task: RecipeTask, names: Sequence[str], evidence: Evidence, blocks: Blocks, areas: AreasByThreshold | None
) -> list[SearchStep]:
    """The steps for the rule of a class that is searched alone.

    What can be counted without applying every recipe is searched jointly with the threshold; the rest by trying, and
    then the threshold once more.
    """
    tally = Tally(evidence.metric)
    wanted = [name for name in names if name != BETWEEN and (name != SPLIT or task.classes == 1)]
    counted: dict[str, SearchStep] = {}
    if areas is not None:
        of_areas = [name for name in wanted if name in ("threshold", "minimum_area", "triplet", "emptiness")]
        counted |= {name: CountedStep(name, _grids(name, task, evidence, blocks, areas)) for name in of_areas}
    if len(counted) == len(wanted):
        return list(counted.values())
    scale = scale_of(evidence.examples)
    if areas is not None and OBJECT_SIZE in wanted:
        counted[OBJECT_SIZE] = ObjectSizeStep(evidence, blocks, _from_none(scale.object_sizes))
    if isinstance(evidence.metric, InstanceMetric):
        grid = sweep_objects(evidence, blocks, _from_none(scale.object_sizes))
        grids = {"threshold": grid.without_minimums(), OBJECT_SIZE: grid}
        counted |= {name: CountedStep(name, [some]) for name, some in grids.items() if name in wanted}
    tried = [name for name in wanted if name not in counted]
    if tried and "threshold" in wanted:
        tried.append(THRESHOLD_AGAIN)
    coordinate = Coordinate(0, scale, task.has_presence)
    applied = [AppliedStep(name, coordinate.candidates(name), evidence, blocks, tally) for name in tried]
    return [*counted.values(), *applied]


def _from_none(sizes: Sequence[int]) -> Integers:
    return np.array([0, *sizes], np.int64)


def _grids(name: str, task: RecipeTask, evidence: Evidence, blocks: Blocks, areas: AreasByThreshold) -> Sequence[Sweep]:
    tally = Tally(evidence.metric)
    if name == "triplet":
        return [sweep_triplets(areas, blocks, tally)]
    if name == "emptiness":
        presence = _presence(evidence) if task.has_presence else None
        return sweep_emptiness(areas, blocks, tally, presence)
    minimum_areas = candidate_areas(areas.truth) if name == "minimum_area" else _NO_AREA
    return [sweep_areas(areas, blocks, tally, minimum_areas)]


def _presence(evidence: Evidence) -> Floats:
    """What the presence head says of each image; nothing is surely there where it says nothing."""
    found = np.zeros(evidence.images)
    for example in evidence.examples("reading the presence head"):
        if example.presence is not None:
            found[example.position] = example.presence[0]
    return found


def steps_of_all(task: RecipeTask, names: Sequence[str], evidence: Evidence, blocks: Blocks) -> list[SearchStep]:
    """The steps for all classes together: what they share, and every rule where the metric does not tell them apart."""
    tally = Tally(evidence.metric)
    tried: list[tuple[str, Candidates]] = []
    if not task.is_by_class:
        scale = scale_of(task.examples)
        rules = [name for name in names if name not in (SPLIT, BETWEEN)]
        if "threshold" in rules and len(rules) > 1:
            rules.append(THRESHOLD_AGAIN)
        for name in rules:
            for index in task.searched:
                candidates = Coordinate(index, scale, task.has_presence).candidates(name)
                tried.append(
                    (f"{name}[{index}]", _settling(candidates) if task.activation == "softmax" else candidates)
                )
    if SPLIT in names and task.classes > 1:
        tried.append((SPLIT, splits))
    if BETWEEN in names and task.classes > 1:
        tried.append((BETWEEN, _between(task)))
    return [AppliedStep(name, candidates, evidence, blocks, tally) for name, candidates in tried]


def _settling(candidates: Candidates) -> Candidates:
    """With the pixels that several exclusive classes claim by thresholds of theirs left to the most probable."""
    return lambda recipe: [settled(each) for each in candidates(recipe)]


def settled(recipe: Recipe) -> Recipe:
    """A recipe of exclusive classes: where they have thresholds, the most probable of those that claim a pixel wins."""
    thresholds = any(rule.threshold != ClassRecipe().threshold for rule in recipe.classes)
    return replace(recipe, between="most_probable") if thresholds and recipe.between is None else recipe


def _between(task: RecipeTask) -> Candidates:
    """Who wins a pixel that several classes claim; exclusive ones may also do without thresholds, or any rule."""
    order = _rarest_first(task)

    def candidates(recipe: Recipe) -> list[Recipe]:
        others = [
            replace(recipe, between="most_probable", priority=()),
            replace(recipe, between="priority", priority=order),
        ]
        if task.activation == "sigmoid":
            return [replace(recipe, between=None, priority=()), *others]
        plain = tuple(replace(rule, threshold=ClassRecipe().threshold) for rule in recipe.classes)
        return [IDENTITY, Recipe(plain, split=recipe.split), *others]

    return candidates


def _rarest_first(task: RecipeTask) -> tuple[int, ...]:
    """The classes that have a rule, those of the fewest predicted pixels first: large ones would cover small ones."""
    first = 1 if task.activation == "softmax" else 0
    predicted = np.zeros(task.classes)
    for example in task.examples("counting predicted pixels"):
        predicted += (to_levels(example.stored) > 127).sum(axis=(0, 1))
    return tuple(first + int(index) for index in np.argsort(predicted[first:], kind="stable"))


def surface_of(evidence: Evidence, index: int, blocks: Blocks, areas: AreasByThreshold | None) -> Surface:
    """The scores of thresholds and minimum areas; of object sizes for metrics of objects; of some for other metrics."""
    tally = Tally(evidence.metric)
    if areas is not None:
        minimums = candidate_areas(areas.truth)
        totals = sweep_areas(areas, blocks, tally, minimums).totals.sum(axis=0)
        return Surface(index, THRESHOLDS, "minimum_area", minimums, tally.score(totals))
    thresholds, scale = np.array(TRIED_THRESHOLDS), scale_of(evidence.examples)
    if isinstance(evidence.metric, InstanceMetric):
        minimums = _from_none(scale.object_sizes)
        totals = sweep_objects(evidence, blocks, minimums).totals.sum(axis=0)
        return Surface(index, thresholds, OBJECT_SIZE, minimums, tally.score(totals))
    minimums = _from_none(scale.areas)
    grid = [[recipe_of(ClassRecipe(float(one), minimum_area=int(size))) for size in minimums] for one in thresholds]
    measured = evidence.measure((recipe for row in grid for recipe in row), "drawing the surface")
    scores = [[evidence.metric.score(measured[recipe]) for recipe in row] for row in grid]
    return Surface(index, thresholds, "minimum_area", minimums, np.array(scores))
