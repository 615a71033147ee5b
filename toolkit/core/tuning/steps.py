"""The steps of the search: for the rule of one class, and for what all classes share."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from toolkit.core.arrays import Floats, Integers
from toolkit.core.metrics.instance import InstanceMetric
from toolkit.core.recipe.postprocess import IDENTITY
from toolkit.core.recipe.probabilities import to_levels
from toolkit.core.recipe.recipe import ClassRecipe, Recipe
from toolkit.core.tuning.area_histograms import THRESHOLDS, AreasByThreshold, area_grid, candidate_areas, recipe_of
from toolkit.core.tuning.candidates import (
    TRIED_THRESHOLDS,
    Candidates,
    of_class,
    scale_of,
    thresholds_nearby,
    watersheds,
)
from toolkit.core.tuning.empty_images import emptiness_grids, triplet_grid
from toolkit.core.tuning.grids import Grid, SummedMetric
from toolkit.core.tuning.object_sizes import object_size_grid
from toolkit.core.tuning.recipe_scores import RecipeScores, of_one_class
from toolkit.core.tuning.task import BETWEEN, SPLIT, RecipeTask

THRESHOLD_AGAIN = "threshold again"
"""The step that tries the thresholds nearby once more, after steps that may have moved the best one."""

_NO_AREA = np.zeros(1, np.int64)
_COUNTED = ("threshold", "minimum_area", "triplet", "emptiness")
_OBJECT_SIZE = "minimum_object_size"

Grids = Callable[[Sequence[Recipe]], Mapping[Recipe, Sequence[Grid]]]


@dataclass(frozen=True, eq=False)
class SearchStep:
    """One step of the search; `grids` gives what it could make of each of the recipes found so far."""

    name: str
    grids: Grids


def counted(name: str, grids: Sequence[Grid]) -> SearchStep:
    """A step whose grids hold whole recipes, which do not depend on those found so far."""
    return SearchStep(name, lambda currents: dict.fromkeys(currents, grids))


def applied(name: str, candidates: Candidates, scores: RecipeScores, folds: Integers) -> SearchStep:
    """A step whose candidates are applied to every image; of equal ones the recipe found so far stays."""
    metric = SummedMetric(scores.metric)

    def grids(currents: Sequence[Recipe]) -> Mapping[Recipe, Sequence[Grid]]:
        rows = {current: list(dict.fromkeys([current, *candidates(current)])) for current in currents}
        measured = scores.measure((recipe for row in rows.values() for recipe in row), f"trying {name}")
        return {current: [grid(row, measured)] for current, row in rows.items()}

    def grid(row: Sequence[Recipe], measured: Mapping[Recipe, Floats]) -> Grid:
        totals = np.stack([metric.by_fold(measured[recipe], folds) for recipe in row], axis=1)
        return Grid(totals, (np.arange(len(row), dtype=np.float64),), lambda position: row[position[0]])

    return SearchStep(name, grids)


def scores_of_class(task: RecipeTask, index: int, areas: AreasByThreshold | None) -> RecipeScores:
    """What scores the rule of one class; `areas` are counted where areas are all that the metric needs."""
    examples = of_one_class(task.examples, index, task.classes, task.activation)
    exact = areas if task.in_bytes else None
    return RecipeScores(examples, task.images, task.metric_of_one(), "sigmoid", plugins=task.plugins, areas=exact)


def steps_of_class(
    task: RecipeTask, names: Sequence[str], scores: RecipeScores, areas: AreasByThreshold | None
) -> list[SearchStep]:
    """The steps for the rule of a class that is searched alone.

    First come the steps that are counted jointly with the threshold, without applying a recipe; then those whose values
    are applied one by one, and last the thresholds nearby once more.
    """
    wanted = [name for name in names if name != BETWEEN and (name != SPLIT or task.classes == 1)]
    found: dict[str, SearchStep] = {}
    if areas is not None:
        found = {name: counted(name, _grids(name, task, scores, areas)) for name in wanted if name in _COUNTED}
    if len(found) == len(wanted):
        return list(found.values())
    scale = scale_of(scores.examples, has_presence=task.has_presence)
    if isinstance(scores.metric, InstanceMetric):
        grid = object_size_grid(scores, task.folds, _from_none(scale.object_sizes))
        grids = {"threshold": grid.first_of_second_axis(), _OBJECT_SIZE: grid}
        found |= {name: counted(name, [some]) for name, some in grids.items() if name in wanted}
    tried: list[tuple[str, Candidates]] = [
        (name, watersheds if name == SPLIT else of_class(name, 0, scale)) for name in wanted if name not in found
    ]
    if tried and "threshold" in wanted:
        tried.append((THRESHOLD_AGAIN, thresholds_nearby(0)))
    return [*found.values(), *(applied(name, candidates, scores, task.folds) for name, candidates in tried)]


def _from_none(sizes: Sequence[int]) -> Integers:
    return np.array([0, *sizes], np.int64)


def _grids(name: str, task: RecipeTask, scores: RecipeScores, areas: AreasByThreshold) -> Sequence[Grid]:
    metric = SummedMetric(scores.metric)
    if name == "triplet":
        return [triplet_grid(areas, task.folds, metric)]
    if name == "emptiness":
        presence = _presence(scores) if task.has_presence else None
        return emptiness_grids(areas, task.folds, metric, presence)
    minimum_areas = candidate_areas(areas.truth) if name == "minimum_area" else _NO_AREA
    return [area_grid(areas, task.folds, metric, minimum_areas)]


def _presence(scores: RecipeScores) -> Floats:
    """The output of the presence head for each image, 0 where it has none."""
    found = np.zeros(scores.images)
    for example in scores.examples("reading the presence head"):
        if example.presence is not None:
            found[example.position] = example.presence[0]
    return found


def steps_of_all(task: RecipeTask, names: Sequence[str], scores: RecipeScores) -> list[SearchStep]:
    """The steps for all classes together: what they share, and every rule where the metric does not tell them apart."""
    tried: list[tuple[str, Candidates]] = []
    if not task.is_by_class:
        scale = scale_of(task.examples, has_presence=task.has_presence)
        rules = [name for name in names if name not in (SPLIT, BETWEEN)]
        if "threshold" in rules and len(rules) > 1:
            rules.append(THRESHOLD_AGAIN)
        for name in rules:
            for index in task.searched:
                candidates = thresholds_nearby(index) if name == THRESHOLD_AGAIN else of_class(name, index, scale)
                settles = task.activation == "softmax"
                tried.append((f"{name}[{index}]", _settling(candidates) if settles else candidates))
    if task.classes > 1:
        shared = {SPLIT: watersheds, BETWEEN: _between(task)}
        tried += [(name, candidates) for name, candidates in shared.items() if name in names]
    return [applied(name, candidates, scores, task.folds) for name, candidates in tried]


def _settling(candidates: Candidates) -> Candidates:
    """With pixels that several exclusive classes claim given to the most probable one."""
    return lambda recipe: [settled(each) for each in candidates(recipe)]


def settled(recipe: Recipe) -> Recipe:
    """A recipe of exclusive classes: where they have thresholds, the most probable of those that claim a pixel wins."""
    thresholds = any(rule.threshold != ClassRecipe().threshold for rule in recipe.classes)
    return replace(recipe, between="most_probable") if thresholds and recipe.between is None else recipe


def _between(task: RecipeTask) -> Candidates:
    """Who wins a pixel that several classes claim; exclusive classes may also have no thresholds, or no rule at all."""
    order: list[int] = []

    def candidates(recipe: Recipe) -> list[Recipe]:
        if not order:
            order.extend(_rarest_first(task))
        others = [
            replace(recipe, between="most_probable", priority=()),
            replace(recipe, between="priority", priority=tuple(order)),
        ]
        if task.activation == "sigmoid":
            return [replace(recipe, between=None, priority=()), *others]
        plain = tuple(replace(rule, threshold=ClassRecipe().threshold) for rule in recipe.classes)
        return [IDENTITY, Recipe(plain, split=recipe.split), *others]

    return candidates


def _rarest_first(task: RecipeTask) -> list[int]:
    """The classes that have a rule, those with the fewest predicted pixels first: large ones would cover small ones."""
    first = 1 if task.activation == "softmax" else 0
    predicted = np.zeros(task.classes)
    for example in task.examples("counting predicted pixels"):
        predicted += (to_levels(example.stored) > 127).sum(axis=(0, 1))
    return [first + int(index) for index in np.argsort(predicted[first:], kind="stable")]


@dataclass(frozen=True, eq=False)
class Surface:
    """The score of every threshold with every minimum area or object size, and no other step.

    `scores` is `float64 (thresholds, minimums)`; `minimum` names the field of `ClassRecipe` that `minimums` are of.
    """

    index: int
    thresholds: Floats
    minimum: str
    minimums: Integers
    scores: Floats


def surface_of(
    scores: RecipeScores, index: int, task: RecipeTask, areas: AreasByThreshold | None, found: ClassRecipe
) -> Surface:
    """Scores of thresholds and minimum areas; of minimum object sizes if the rule that was found has one instead.

    Metrics of objects always take object sizes. Where neither areas nor objects can be counted once for all minimums,
    the grid is coarse.
    """
    metric = SummedMetric(scores.metric)
    by_size = found.minimum_object_size > 0 and not found.minimum_area
    if areas is not None and not by_size:
        minimums = candidate_areas(areas.truth)
        totals = area_grid(areas, task.folds, metric, minimums).totals.sum(axis=0)
        return Surface(index, THRESHOLDS, "minimum_area", minimums, metric.score(totals))
    thresholds, scale = np.array(TRIED_THRESHOLDS), scale_of(scores.examples, has_presence=task.has_presence)
    if isinstance(scores.metric, InstanceMetric):
        minimums = _from_none(scale.object_sizes)
        totals = object_size_grid(scores, task.folds, minimums).totals.sum(axis=0)
        return Surface(index, thresholds, _OBJECT_SIZE, minimums, metric.score(totals))
    minimum = _OBJECT_SIZE if by_size else "minimum_area"
    minimums = _from_none(scale.object_sizes if by_size else scale.areas)

    def rule(threshold: float, size: int) -> ClassRecipe:
        if by_size:
            return ClassRecipe(threshold, minimum_object_size=size)
        return ClassRecipe(threshold, minimum_area=size)

    grid = [[recipe_of(rule(float(one), int(size))) for size in minimums] for one in thresholds]
    measured = scores.measure((recipe for row in grid for recipe in row), "drawing the surface")
    surface = [[scores.metric.score(measured[recipe]) for recipe in row] for row in grid]
    return Surface(index, thresholds, minimum, minimums, np.array(surface))
