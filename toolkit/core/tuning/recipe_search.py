"""The search for a recipe on out-of-fold predictions, and an honest score of what it finds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from toolkit.core.arrays import Mask
from toolkit.core.metrics.metric import Metric
from toolkit.core.metrics.uncertainty.bootstrap import Interval, bootstrap, exceeds_noise, paired, score_of_others
from toolkit.core.recipe.postprocess import IDENTITY
from toolkit.core.recipe.recipe import ClassRecipe, Recipe
from toolkit.core.tuning.area_histograms import AreasByThreshold, is_of_areas
from toolkit.core.tuning.grids import EQUAL, SummedMetric, best_recipe, fold_count
from toolkit.core.tuning.recipe_scores import RecipeScores, collect_areas
from toolkit.core.tuning.steps import (
    SearchStep,
    Surface,
    scores_of_class,
    settled,
    steps_of_all,
    steps_of_class,
    surface_of,
)
from toolkit.core.tuning.task import RecipeTask

_BYTES_OF_AREAS = 1 << 28
_BYTES_PER_IMAGE = 3 * 4 * 255

HeldOut = int | None
"""The fold that a search does not look at; None for the search on all images."""


@dataclass(frozen=True)
class Tried:
    """What a step found in the search on all images.

    `recipe` is the best that it could make, `score` its score on the images that it was chosen on, `gain` how much
    better that is than without the step (more being better), `taken` whether it is better at all. `index` is the class,
    None for all classes together.
    """

    step: str
    index: int | None
    recipe: Recipe
    score: float
    gain: float
    taken: bool


@dataclass(frozen=True, eq=False)
class Tuned:
    """A recipe and its three scores, each over all out-of-fold images.

    Attributes:
        recipe: the one to submit with: `best` if the nested gain exceeds its standard error, else the identity.
        best: the recipe found on all images.
        by_fold: for each fold, the recipe found on the images of the other folds.
        untuned: score of the identity.
        tuned: score of `best`, on the very images that it was chosen on.
        nested: the honest score: each fold with its recipe of `by_fold`.
        kept_score: the honest score of `recipe`: nested or untuned.
        gain: nested over untuned, more being better; a mean over images where the metric is one.
        standard_error: of the gain.
        interval: 95 % bootstrap interval of the nested score: where the score of all images of the kind lies.
        test_intervals: for each number of `RecipeTask.test_images`, where the score of so many others will lie with
            `recipe`.
        gap: how much better tuned is than nested: the part of the tuned score that is overfitting.
        tried: what each step found.
        surfaces: of each class that was searched alone, if they were asked for.
        tuned_by_fold: `tuned` of the images of each fold.
        nested_by_fold: `nested` of the images of each fold.
    """

    recipe: Recipe
    best: Recipe
    by_fold: tuple[Recipe, ...]
    untuned: float
    tuned: float
    nested: float
    kept_score: float
    gain: float
    standard_error: float
    interval: Interval
    test_intervals: tuple[Interval, ...]
    gap: float
    tried: tuple[Tried, ...]
    surfaces: tuple[Surface, ...]
    tuned_by_fold: tuple[float, ...] = ()
    nested_by_fold: tuple[float, ...] = ()


def without_optimism(tuned: Tuned, optimism: float, metric: Metric) -> Tuned:
    """The same with something taken off the honest scores, and off where the scores of others will lie.

    Nothing leaves the range of the metric.
    """
    change = -optimism if metric.direction == "max" else optimism

    def moved(interval: Interval) -> Interval:
        return interval.moved(change, change).within(metric.bounds)

    nested, kept, *folds = np.clip(
        [tuned.nested + change, tuned.kept_score + change, *(one + change for one in tuned.nested_by_fold)],
        *metric.bounds,
    ).tolist()
    return replace(
        tuned,
        nested=nested,
        kept_score=kept,
        gap=tuned.gap + optimism,
        interval=moved(tuned.interval),
        test_intervals=tuple(map(moved, tuned.test_intervals)),
        nested_by_fold=tuple(folds),
    )


def tune(task: RecipeTask, steps: Sequence[str], *, with_surfaces: bool = False) -> Tuned:
    """Find the best recipe on all images, and for each fold on the images of the others; score each fold with the last.

    Args:
        task: images, classes and metric.
        steps: what is searched, names of `STEPS` and of steps from plugins.
        with_surfaces: whether to score thresholds with minimum areas or object sizes too, for a picture.
    """
    names = task.ordered(steps)
    searches: list[HeldOut] = [None, *range(fold_count(task.folds))]
    recipes: dict[HeldOut, Recipe] = dict.fromkeys(searches, _whole(task, {}))
    tried: list[Tried] = []
    surfaces = []
    if task.is_by_class:
        rules: dict[HeldOut, dict[int, Recipe]] = {held_out: {} for held_out in searches}
        for index, areas in _areas_by_class(task):
            scores = scores_of_class(task, index, areas)
            start = dict.fromkeys(searches, IDENTITY)
            found, each = _search(steps_of_class(task, names, scores, areas), scores, task, start, index)
            tried += each
            for held_out, recipe in found.items():
                rules[held_out][index] = recipe
            if with_surfaces:
                surfaces.append(surface_of(scores, index, task, areas, found[None].classes[0]))
        recipes = {held_out: _whole(task, found) for held_out, found in rules.items()}
    scores = RecipeScores(task.examples, task.images, task.metric, task.activation, plugins=task.plugins)
    recipes, each = _search(steps_of_all(task, names, scores), scores, task, recipes, None)
    return _scored(task, scores, recipes, (*tried, *each), tuple(surfaces))


def _search(
    steps: Sequence[SearchStep],
    scores: RecipeScores,
    task: RecipeTask,
    start: Mapping[HeldOut, Recipe],
    index: int | None,
) -> tuple[dict[HeldOut, Recipe], list[Tried]]:
    """Step by step, take the best recipe that the step can make, if it is better on the images that the search sees."""
    metric = SummedMetric(scores.metric)
    recipes, tried = dict(start), []
    for step in steps:
        grids = step.grids(list(dict.fromkeys(recipes.values())))
        proposals = {
            held_out: best_recipe(grids[recipe], _seen(held_out, task), metric) for held_out, recipe in recipes.items()
        }
        measured = scores.measure([*recipes.values(), *proposals.values()], f"scoring {step.name}")
        totals = {recipe: metric.by_fold(found, task.folds) for recipe, found in measured.items()}
        for held_out, proposal in proposals.items():
            seen = _seen(held_out, task)
            before, after = (
                float(metric.signed(totals[recipe][seen].sum(axis=0))) for recipe in (recipes[held_out], proposal)
            )
            gain = after - before if np.isfinite(before) else np.nan  # a class that no image shows has no score
            is_better = gain > EQUAL
            if held_out is None:
                score = scores.metric.score(measured[proposal])
                tried.append(Tried(step.name, index, proposal, score, gain, is_better))
            if is_better:
                recipes[held_out] = proposal
        scores.forget_others(recipes.values())
    return recipes, tried


def _seen(held_out: HeldOut, task: RecipeTask) -> Mask:
    """The folds that a search looks at, `bool (folds,)`."""
    folds = np.arange(fold_count(task.folds))
    return np.ones(len(folds), np.bool_) if held_out is None else folds != held_out


def _areas_by_class(task: RecipeTask) -> Iterator[tuple[int, AreasByThreshold | None]]:
    """The searched classes with their areas, a few classes in a pass to bound memory; None for metrics of more."""
    if not is_of_areas(task.metric):
        yield from ((index, None) for index in task.searched)
        return
    at_once = max(1, _BYTES_OF_AREAS // (_BYTES_PER_IMAGE * task.images))
    for start in range(0, len(task.searched), at_once):
        chosen = task.searched[start : start + at_once]
        found = collect_areas(task.examples, task.images, task.classes, task.activation, chosen)
        yield from zip(chosen, found, strict=True)


def _whole(task: RecipeTask, rules: Mapping[int, Recipe]) -> Recipe:
    """One recipe from the recipes of single classes; the identity where there are none."""
    if task.classes == 1:
        return rules.get(0, IDENTITY)
    if all(rule == IDENTITY for rule in rules.values()) and task.is_by_class:
        return IDENTITY
    classes = tuple(rules[index].classes[0] if index in rules else ClassRecipe() for index in range(task.classes))
    return settled(Recipe(classes)) if task.activation == "softmax" else Recipe(classes)


def _scored(
    task: RecipeTask,
    scores: RecipeScores,
    recipes: Mapping[HeldOut, Recipe],
    tried: tuple[Tried, ...],
    surfaces: tuple[Surface, ...],
) -> Tuned:
    """The three scores of the recipes, by applying them."""
    metric = task.metric
    best = _plain(recipes[None])
    by_fold = tuple(_plain(recipes[fold]) for fold in range(fold_count(task.folds)))
    measured = scores.measure([IDENTITY, best], "scoring the recipe")
    nested = scores.measure_each([by_fold[fold] for fold in task.folds], "scoring the nested recipes")
    difference = paired(metric, nested, measured[IDENTITY], seed=task.seed, groups=task.groups)
    sign = 1 if metric.direction == "max" else -1
    gain, honest, tuned = sign * difference.mean, metric.score(nested), metric.score(measured[best])
    is_kept = exceeds_noise(gain, difference.standard_error)
    submitted = nested if is_kept else measured[IDENTITY]
    places = [task.folds == fold for fold in range(len(by_fold))]
    return Tuned(
        recipe=best if is_kept else IDENTITY,
        best=best,
        by_fold=by_fold,
        untuned=metric.score(measured[IDENTITY]),
        tuned=tuned,
        nested=honest,
        kept_score=metric.score(submitted),
        gain=gain,
        standard_error=difference.standard_error,
        interval=bootstrap(metric, nested, seed=task.seed, groups=task.groups),
        test_intervals=tuple(
            score_of_others(metric, submitted, images, seed=task.seed, groups=task.groups)
            for images in task.test_images
        ),
        gap=sign * (tuned - honest),
        tried=tried,
        surfaces=surfaces,
        tuned_by_fold=tuple(metric.score(measured[best][place]) for place in places),
        nested_by_fold=tuple(metric.score(nested[place]) for place in places),
    )


def _plain(recipe: Recipe) -> Recipe:
    """The identity in its one form, where a recipe has no effect."""
    nothing = all(rule == ClassRecipe() for rule in recipe.classes)
    return IDENTITY if nothing and recipe.between is None and recipe.split is None else recipe
