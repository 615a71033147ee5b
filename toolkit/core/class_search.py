"""The steps that are searched: for the rule of one class, and for what all classes share."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from toolkit.core.arrays import Floats, Integers
from toolkit.core.blend import to_levels
from toolkit.core.coordinate_search import (
    TRIED_THRESHOLDS,
    AppliedStep,
    Candidates,
    Coordinate,
    CountedStep,
    Scale,
    SearchStep,
    scale_of,
    splits,
    with_threshold_again,
)
from toolkit.core.evidence import Evidence, of_one_class
from toolkit.core.object_sizes import ObjectSizeStep
from toolkit.core.postprocess import IDENTITY
from toolkit.core.recipe import ClassRecipe, Recipe
from toolkit.core.search import THRESHOLDS, AreasByThreshold, candidate_areas, recipe_of, sweep_areas
from toolkit.core.sweeps import Blocks, Sweep
from toolkit.core.tallies import Tally
from toolkit.core.triplets import sweep_emptiness, sweep_triplets
from toolkit.core.tuning_task import BETWEEN, SPLIT, Task

_NO_AREA = np.zeros(1, np.int64)


@dataclass(frozen=True, eq=False)
class Surface:
    """The score of every threshold with every minimum area, `float64 (thresholds, areas)`, and nothing else done."""

    index: int
    thresholds: Floats
    minimum_areas: Integers
    scores: Floats


def evidence_of_class(task: Task, index: int, areas: AreasByThreshold | None) -> Evidence:
    """What measures the rule of one class; `areas` are counted where the metric is one of areas."""
    examples = of_one_class(task.examples, index, task.classes, task.activation)
    counted = areas if task.in_bytes else None
    return Evidence(examples, task.images, task.metric_of_one(), "sigmoid", steps=task.own, areas=counted)


def steps_of_class(
    task: Task, names: Sequence[str], evidence: Evidence, blocks: Blocks, areas: AreasByThreshold | None
) -> list[SearchStep]:
    """The steps for the rule of a class that is searched alone.

    What histograms tell is searched jointly with the threshold, on all of its values; the rest by trying.
    """
    tally = Tally(evidence.metric)
    wanted = [name for name in names if name != BETWEEN and (name != SPLIT or task.classes == 1)]
    steps: list[SearchStep] = []
    if areas is not None:
        counted = [name for name in wanted if name in ("threshold", "minimum_area", "triplet", "emptiness")]
        steps += [CountedStep(name, _grids(name, task, evidence, blocks, areas)) for name in counted]
        wanted = [name for name in wanted if name not in counted]
    if wanted:
        scale = scale_of(evidence.examples)
        if areas is not None and "minimum_object_size" in wanted:
            steps.append(ObjectSizeStep(evidence, blocks, np.array([0, *scale.object_sizes], np.int64)))
            wanted.remove("minimum_object_size")
        coordinate = Coordinate(0, scale, task.has_presence)
        tried = [(name, coordinate.candidates(name)) for name in with_threshold_again(wanted)]
        steps += [AppliedStep(name, candidates, evidence, blocks, tally) for name, candidates in tried]
    return steps


def _grids(name: str, task: Task, evidence: Evidence, blocks: Blocks, areas: AreasByThreshold) -> Sequence[Sweep]:
    tally = Tally(evidence.metric)
    if name == "triplet":
        return [sweep_triplets(areas, blocks, tally)]
    if name == "emptiness":
        presence = _presence(evidence) if task.has_presence else None
        return sweep_emptiness(areas, blocks, tally, presence)
    minimum_areas = candidate_areas(areas.truth) if name == "minimum_area" else _NO_AREA
    return [sweep_areas(areas, blocks, tally, minimum_areas)]


def _presence(evidence: Evidence) -> Floats:
    """What the emptiness head says of each image; nothing is surely there where it says nothing."""
    found = np.zeros(evidence.images)
    for example in evidence.examples("reading the emptiness head"):
        if example.presence is not None:
            found[example.position] = example.presence[0]
    return found


def steps_of_all(task: Task, names: Sequence[str], evidence: Evidence, blocks: Blocks) -> list[SearchStep]:
    """The steps for all classes together: what they share, and every rule where the metric does not tell them apart."""
    tally = Tally(evidence.metric)
    tried: list[tuple[str, Candidates]] = []
    if not task.is_by_class:
        scale = scale_of(task.examples)
        rules = with_threshold_again([name for name in names if name not in (SPLIT, BETWEEN)])
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


def _between(task: Task) -> Candidates:
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


def _rarest_first(task: Task) -> tuple[int, ...]:
    """The classes that have a rule, those of the fewest predicted pixels first: large ones would cover small ones."""
    first = 1 if task.activation == "softmax" else 0
    predicted = np.zeros(task.classes)
    for example in task.examples("counting predicted pixels"):
        predicted += (to_levels(example.stored) > 127).sum(axis=(0, 1))
    return tuple(first + int(index) for index in np.argsort(predicted[first:], kind="stable"))


def surface_of(
    evidence: Evidence, index: int, blocks: Blocks, areas: AreasByThreshold | None, scale: Scale | None = None
) -> Surface:
    """The scores of thresholds and minimum areas: all of them from histograms, or some by applying them."""
    tally = Tally(evidence.metric)
    if areas is not None:
        minimum_areas = candidate_areas(areas.truth)
        totals = sweep_areas(areas, blocks, tally, minimum_areas).totals.sum(axis=0)
        return Surface(index, THRESHOLDS, minimum_areas, tally.score(totals))
    sizes = np.array([0, *(scale or scale_of(evidence.examples)).areas], np.int64)
    grid = [
        [recipe_of(ClassRecipe(threshold, minimum_area=int(size))) for size in sizes] for threshold in TRIED_THRESHOLDS
    ]
    measured = evidence.measure((recipe for row in grid for recipe in row), "drawing the surface")
    scores = [[evidence.metric.score(measured[recipe]) for recipe in row] for row in grid]
    return Surface(index, np.array(TRIED_THRESHOLDS), sizes, np.array(scores))
