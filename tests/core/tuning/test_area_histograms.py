"""Covers toolkit/core/tuning/area_histograms.py, empty_images.py and grids.py."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from toolkit.core.masks.labels import IGNORE
from toolkit.core.metrics.registry import MetricSpec
from toolkit.core.metrics.scorer import Scorer
from toolkit.core.recipe.postprocess import above
from toolkit.core.recipe.probabilities import to_stored
from toolkit.core.recipe.recipe import ClassRecipe, Recipe
from toolkit.core.tuning.area_histograms import (
    THRESHOLDS,
    UNTUNED,
    area_grid,
    areas_by_threshold,
    candidate_areas,
    changed,
    is_of_areas,
    recipe_of,
)
from toolkit.core.tuning.empty_images import emptiness_grids, mean_of_top, triplet_grid
from toolkit.core.tuning.grids import SummedMetric, best_recipe
from toolkit.core.tuning.recipe_scores import RecipeScores, collect_areas
from toolkit.core.tuning.task import RecipeTask

STORED = pytest.mark.parametrize("stored_type", ["uint8", "float16"])
SPECS = [
    *(MetricSpec(name) for name in ("dice", "iou", "salt_map", "precision", "recall")),
    *(MetricSpec(name) for name in ("global_dice", "miou", "pixel_accuracy")),
    MetricSpec("fbeta", (("beta", 2.0),)),
    MetricSpec("dice", (("empty", "skip"),)),
    MetricSpec("precision", (("empty", "skip"),)),
    MetricSpec("recall", (("empty", "zero"),)),
]
EVERY_METRIC = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.label)


def random_images(count: int, seed: int, stored_type: str = "uint8", size: tuple[int, int] = (7, 9)) -> tuple:
    """Kept maps that know something of their truths, and the truths: rectangles, nothing in one of three; some void."""
    random = np.random.default_rng(seed)
    maps, labels = [], []
    for number in range(count):
        truth = np.zeros(size, np.uint8)
        if random.random() < 2 / 3:
            (top, bottom), (left, right) = (np.sort(random.integers(0, side + 1, 2)) for side in size)
            truth[top:bottom, left:right] = 1
        probability = np.clip(0.35 * truth + random.random(size) ** 2, 0, 1).astype(np.float32)
        if number % 4 == 1:
            truth[0, :3] = IGNORE
        maps.append(to_stored(probability, stored_type)[..., None])
        labels.append(truth)
    return maps, labels


def score(task: RecipeTask, recipe: Recipe, positions: list[int]) -> float:
    """What the scorer says of the masks of this recipe."""
    scorer = Scorer([task.metric], "sigmoid", recipe)
    for example in task.examples(""):
        if example.position in positions:
            scorer.add(example.stored, example.labels, presence=example.presence)
    return scorer.scores()[task.metric.label]


def areas_of(task: RecipeTask) -> object:
    return collect_areas(task.examples, task.images, 1, "sigmoid", [0])[0]


def check_grid(task: RecipeTask, grid: object, steps: tuple[int, ...]) -> None:
    """Every few of the recipes of a grid, on all images and on two of three folds."""
    tally = SummedMetric(task.metric)
    for folds in ([0, 1, 2], [1, 2]):
        chosen = np.isin(np.arange(3), folds)
        totals = grid.totals[chosen].sum(axis=0)
        scores = tally.score(totals)
        positions = [position for position, fold in enumerate(task.folds) if fold in folds]
        for position in itertools.product(
            *(range(0, length, step) for length, step in zip(scores.shape, steps, strict=True))
        ):
            expected = score(task, grid.recipe(position), positions)
            assert scores[position] == pytest.approx(expected, abs=1e-9, nan_ok=True)


def test_thresholds_lie_between_neighbouring_levels() -> None:
    levels = np.arange(256) / 255
    assert len(THRESHOLDS) == 255
    assert THRESHOLDS[UNTUNED] == 0.5
    assert (levels[:-1] < THRESHOLDS).all()
    assert (levels[1:] > THRESHOLDS).all()


@STORED
@pytest.mark.parametrize("seed", range(4))
def test_areas_equal_those_of_the_masks_that_recipes_make(stored_type: str, seed: int) -> None:
    for stored, labels in zip(*random_images(3, seed, stored_type, (11, 6)), strict=True):
        truth = labels == 1
        intersection, predicted, area = areas_by_threshold(stored[..., 0], truth)
        masks = [above(stored[..., 0], float(threshold)) for threshold in THRESHOLDS]
        assert intersection.tolist() == [(mask & truth).sum() for mask in masks]
        assert predicted.tolist() == [mask.sum() for mask in masks]
        assert area == truth.sum()


@STORED
def test_areas_of_maps_at_the_very_thresholds(stored_type: str) -> None:
    levels = np.concatenate([np.arange(256) / 255, THRESHOLDS]).astype(np.float32).reshape(7, 73)
    stored, truth = to_stored(levels, stored_type), np.ones((7, 73), np.bool_)
    masks = [above(stored, float(threshold)) for threshold in THRESHOLDS]
    assert areas_by_threshold(stored, truth)[1].tolist() == [mask.sum() for mask in masks]


def test_areas_by_hand() -> None:
    stored = np.array([[0, 1, 100], [200, 255, 255]], np.uint8)
    truth = np.array([[True, False, True], [True, False, True]])
    intersection, predicted, area = areas_by_threshold(stored, truth)
    assert area == 4
    assert intersection[[0, 99, 100, 199, 200, 254]].tolist() == [3, 3, 2, 2, 1, 1]
    assert predicted[[0, 1, 99, 100, 199, 200, 254]].tolist() == [5, 4, 4, 3, 3, 2, 2]


def test_candidate_areas_climb_from_none_to_the_median_mask() -> None:
    truth = np.array([0, 0, 30, 500, 1000, 0, 4000, 9000])
    candidates = candidate_areas(truth)
    assert candidates[0] == 0
    assert candidates[-1] == 1000
    assert (np.diff(candidates) > 0).all()
    assert 20 < len(candidates) <= 41
    steps = candidates[candidates > 100]
    assert np.allclose(steps[1:] / steps[:-1], steps[1] / steps[0], rtol=0.02)


@pytest.mark.parametrize(("truth", "expected"), [([0, 0], [0]), ([], [0]), ([0, 1, 1], [0, 2]), ([2], [0, 2])])
def test_candidate_areas_of_hardly_any_foreground(truth: list[int], expected: list[int]) -> None:
    assert candidate_areas(np.array(truth, np.int64)).tolist() == expected


@EVERY_METRIC
def test_thresholds_and_areas_equal_scoring_the_masks_of_every_recipe(spec: MetricSpec, task_of: Callable) -> None:
    stored_type = "float16" if spec.name == "dice" else "uint8"
    task = task_of(*random_images(9, 3, stored_type), np.arange(9) % 3, spec)
    areas = areas_of(task)
    grid = area_grid(areas, task.folds, SummedMetric(task.metric), candidate_areas(areas.truth))
    check_grid(task, grid, (42, 7))


@EVERY_METRIC
def test_triplets_equal_scoring_the_masks_of_every_recipe(spec: MetricSpec, task_of: Callable) -> None:
    task = task_of(*random_images(9, 4), np.arange(9) % 3, spec)
    check_grid(task, triplet_grid(areas_of(task), task.folds, SummedMetric(task.metric)), (28, 6, 15))


@pytest.mark.parametrize("spec", SPECS[::5], ids=lambda spec: spec.label)
def test_emptiness_scores_equal_scoring_the_masks_of_every_recipe(spec: MetricSpec, task_of: Callable) -> None:
    presence = np.random.default_rng(1).random((9, 1)).astype(np.float32)
    task = task_of(*random_images(9, 5), np.arange(9) % 3, spec, presence=presence)
    heads = presence[:, 0].astype(np.float64)
    grids = emptiness_grids(areas_of(task), task.folds, SummedMetric(task.metric), heads)
    assert [grid.recipe((0, 0)).classes[0].emptiness.score for grid in grids] == ["head", "maximum", "mean_of_top"]
    for grid in grids:
        check_grid(task, grid, (28, 16))


@pytest.mark.parametrize("count", [1, 5, 63, 500])
def test_the_mean_of_the_top_pixels(count: int, task_of: Callable) -> None:
    maps, labels = random_images(5, 2)
    means = mean_of_top(areas_of(task_of(maps, labels, np.arange(5))), count)
    assert means == pytest.approx([np.sort(stored.ravel())[::-1][:count].mean() / 255 for stored in maps])


def test_areas_are_counted_alike_in_any_order_and_number(task_of: Callable) -> None:
    """More images than are counted at once, of one fold or the other."""
    maps, labels = random_images(600, 5)
    order = np.random.default_rng(6).permutation(600)
    found = []
    for positions in (np.arange(600), order):
        task = task_of([maps[i] for i in positions], [labels[i] for i in positions], positions % 4, "dice")
        areas = areas_of(task)
        metric = SummedMetric(task.metric)
        found.append(
            [
                area_grid(areas, task.folds, metric, candidate_areas(areas.truth)),
                triplet_grid(areas, task.folds, metric),
            ]
        )
    for first, second in zip(*found, strict=True):
        np.testing.assert_allclose(first.totals, second.totals, rtol=1e-9, atol=1e-9)
        assert best_recipe([first], np.ones(4, bool), metric) == best_recipe([second], np.ones(4, bool), metric)


@EVERY_METRIC
def test_what_is_counted_of_a_recipe_equals_what_is_measured(spec: MetricSpec, task_of: Callable) -> None:
    task = task_of(*random_images(8, 7), np.arange(8) % 2, spec)
    recipes = [
        recipe_of(ClassRecipe(0.31, minimum_area=9)),
        changed(recipe_of(ClassRecipe(0.5)), 0, triplet=triplet_grid(
            areas_of(task), task.folds, SummedMetric(task.metric)).recipe((3, 1, 20)).classes[0].triplet),
        Recipe(),
    ]  # fmt: skip
    counted = RecipeScores(task.examples, 8, task.metric, "sigmoid", areas=areas_of(task)).measure(recipes, "")
    applied = RecipeScores(task.examples, 8, task.metric, "sigmoid").measure(recipes, "")
    for recipe in recipes:
        np.testing.assert_array_equal(counted[recipe], applied[recipe])


def test_ignored_pixels_count_for_the_size_of_a_mask_but_for_no_score(task_of: Callable) -> None:
    stored = np.array([[255, 255, 255, 0]], np.uint8)[..., None]
    task = task_of([stored], [np.array([[1, 0, IGNORE, 1]], np.uint8)], np.array([0]))
    areas = areas_of(task)
    assert (areas.intersection[0, UNTUNED], areas.predicted[0, UNTUNED], areas.truth[0]) == (1, 2, 2)
    assert (areas.sizes[0, UNTUNED], areas.pixels[0], areas.whole[0]) == (3, 3, 4)
    grid = area_grid(areas, task.folds, SummedMetric(task.metric), np.array([0, 3, 4]))
    scores = SummedMetric(task.metric).score(grid.totals.sum(axis=0))
    assert scores[UNTUNED].tolist() == [0.5, 0.5, 0]


def test_metrics_of_objects_depend_on_more_than_areas(task_of: Callable) -> None:
    maps, labels = random_images(2, 0)
    assert not is_of_areas(task_of(maps, labels, np.arange(2), "instance_map").metric)
    assert is_of_areas(task_of(maps, labels, np.arange(2), "miou").metric)
