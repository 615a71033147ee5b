"""Choosing the recipe on out-of-fold predictions, and saying honestly what it is worth."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from toolkit.core.metrics.bootstrap import Interval, bootstrap, paired
from toolkit.core.recipe.postprocess import IDENTITY
from toolkit.core.recipe.recipe import ClassRecipe, Recipe
from toolkit.core.tuning.area_histograms import AreasByThreshold, is_of_areas
from toolkit.core.tuning.grids import blocks_of
from toolkit.core.tuning.nested_search import Path, Tried, all_paths, exceeds, search
from toolkit.core.tuning.recipe_scores import Evidence, collect_areas
from toolkit.core.tuning.steps import Surface, evidence_of_class, settled, steps_of_all, steps_of_class, surface_of
from toolkit.core.tuning.task import RecipeTask

_BYTES_OF_AREAS = 1 << 28
_BYTES_PER_IMAGE = 3 * 4 * 255


@dataclass(frozen=True, eq=False)
class Tuned:
    """A recipe and its three scores, each over all out-of-fold images.

    Attributes:
        recipe: the one to submit with: `best` if the gain exceeds its standard error, the identity otherwise.
        best: what the search chose on all images.
        by_fold: what it chose without each fold.
        untuned: score of the identity.
        tuned: score of `best`, on the very images that it was chosen on.
        nested: the honest score: each fold with its `by_fold`.
        gain: how much better than untuned that is, image by image.
        standard_error: of the gain.
        interval: of the nested score.
        gap: how much better than nested tuned looks, which it is not.
        tried: what each step gave in the search on all images, by class; None for all classes.
        surfaces: of each class that was searched alone, if they were asked for.
    """

    recipe: Recipe
    best: Recipe
    by_fold: tuple[Recipe, ...]
    untuned: float
    tuned: float
    nested: float
    gain: float
    standard_error: float
    interval: Interval
    gap: float
    tried: tuple[tuple[int | None, Tried], ...]
    surfaces: tuple[Surface, ...]


def tune(task: RecipeTask, steps: Sequence[str], *, with_surfaces: bool = False) -> Tuned:
    """Choose a recipe, and score the choosing.

    Args:
        task: images, classes and metric.
        steps: what is searched, names of `STEPS` and of the user's own steps.
        with_surfaces: whether to score all thresholds and minimum areas too, to be looked at.
    """
    blocks = blocks_of(task.folds)
    names = task.ordered(steps)
    recipes: dict[Path, Recipe] = dict.fromkeys(all_paths(blocks), _whole(task, {}))
    tried: list[tuple[int | None, Tried]] = []
    surfaces = []
    if task.is_by_class:
        found: dict[Path, dict[int, Recipe]] = {path: {} for path in recipes}
        for index, areas in _areas_by_class(task):
            evidence = evidence_of_class(task, index, areas)
            of_class = search(
                steps_of_class(task, names, evidence, blocks, areas),
                evidence,
                blocks,
                dict.fromkeys(found, IDENTITY),
                task.seed,
            )
            for path, recipe in of_class.recipes.items():
                found[path][index] = recipe
            tried += [(index if task.classes > 1 else None, each) for each in of_class.tried]
            if with_surfaces:
                surfaces.append(surface_of(evidence, index, blocks, areas))
        # What all classes share is tried on the rules of a whole search: of each block's own there would be too many.
        recipes = {path: _whole(task, found[path if task.classes == 1 else (path[0], None)]) for path in found}
    evidence = Evidence(task.examples, task.images, task.metric, task.activation, plugins=task.plugins)
    together = search(steps_of_all(task, names, evidence, blocks), evidence, blocks, recipes, task.seed)
    tried += [(None, each) for each in together.tried]
    return _judged(task, evidence, together.recipes, tried, surfaces)


def _areas_by_class(task: RecipeTask) -> Iterator[tuple[int, AreasByThreshold | None]]:
    """The searched classes with their areas, some classes a pass to bound memory; with None for metrics of more."""
    if not is_of_areas(task.metric):
        yield from ((index, None) for index in task.searched)
        return
    at_once = max(1, _BYTES_OF_AREAS // (_BYTES_PER_IMAGE * task.images))
    for start in range(0, len(task.searched), at_once):
        chosen = task.searched[start : start + at_once]
        found = collect_areas(task.examples, task.images, task.classes, task.activation, chosen)
        yield from zip(chosen, found, strict=True)


def _whole(task: RecipeTask, rules: Mapping[int, Recipe]) -> Recipe:
    """One recipe of the recipes that were found for single classes; the identity where none was."""
    if task.classes == 1:
        return rules.get(0, IDENTITY)
    if all(rule == IDENTITY for rule in rules.values()) and task.is_by_class:
        return IDENTITY
    classes = tuple(rules[index].classes[0] if index in rules else ClassRecipe() for index in range(task.classes))
    return settled(Recipe(classes)) if task.activation == "softmax" else Recipe(classes)


def _judged(
    task: RecipeTask,
    evidence: Evidence,
    recipes: Mapping[Path, Recipe],
    tried: Sequence[tuple[int | None, Tried]],
    surfaces: Sequence[Surface],
) -> Tuned:
    """The three scores of what was found, by applying it."""
    metric = task.metric
    best = _plain(recipes[None, None])
    by_fold = tuple(_plain(recipes[fold, None]) for fold in range(int(task.folds.max()) + 1))
    measured = evidence.measure([IDENTITY, best], "scoring the recipe")
    nested = evidence.measure_each([by_fold[fold] for fold in task.folds], "scoring the nested recipes")
    difference = paired(metric, nested, measured[IDENTITY], seed=task.seed)
    sign = 1 if metric.direction == "max" else -1
    untuned, tuned, honest = (metric.score(each) for each in (measured[IDENTITY], measured[best], nested))
    kept = exceeds(sign * difference.mean, difference.standard_error)
    return Tuned(
        recipe=best if kept else IDENTITY,
        best=best,
        by_fold=by_fold,
        untuned=untuned,
        tuned=tuned,
        nested=honest,
        gain=sign * difference.mean,
        standard_error=difference.standard_error,
        interval=bootstrap(metric, nested, seed=task.seed),
        gap=sign * (tuned - honest),
        tried=tuple(tried),
        surfaces=tuple(surfaces),
    )


def _plain(recipe: Recipe) -> Recipe:
    """The identity in one spelling."""
    nothing = all(rule == ClassRecipe() for rule in recipe.classes)
    return IDENTITY if nothing and recipe.between is None and recipe.split is None else recipe
