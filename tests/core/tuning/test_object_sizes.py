import itertools
from collections.abc import Callable

import numpy as np
import pytest

from toolkit.core.masks.labels import IGNORE
from toolkit.core.tuning.grids import SummedMetric
from toolkit.core.tuning.object_sizes import object_size_grid
from toolkit.core.tuning.recipe_scores import RecipeScores
from toolkit.core.tuning.task import RecipeTask

SIZES = np.array([0, 2, 4, 7])


@pytest.fixture
def task(task_of: Callable, request: pytest.FixtureRequest) -> RecipeTask:
    """Rough maps with many small objects, some ignored pixels."""
    random = np.random.default_rng(2)
    maps, labels = [], []
    for number in range(6):
        truth = np.kron(random.random((3, 4)) < 0.4, np.ones((3, 3))).astype(np.uint8)
        maps.append(np.clip(90 * truth + random.integers(0, 166, truth.shape), 0, 255).astype(np.uint8)[..., None])
        if number % 3 == 0:
            truth[4:6] = IGNORE
        labels.append(truth)
    return task_of(maps, labels, np.arange(6) % 3, request.param)


def check(task: RecipeTask, grid: object, positions: list) -> None:
    scores = RecipeScores(task.examples, task.images, task.metric, "sigmoid")
    recipes = [grid.recipe(position) for position in positions]
    measured = scores.measure(recipes, "")
    for fold in range(3):
        found = SummedMetric(task.metric).score(grid.totals[fold])
        for position, recipe in zip(positions, recipes, strict=True):
            expected = task.metric.score(measured[recipe][task.folds == fold])
            assert found[position] == pytest.approx(expected, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("task", ["instance_map", "airbus_f2"], indirect=True)
def test_matched_objects_equal_scoring_the_masks_of_every_recipe(task: RecipeTask) -> None:
    scores = RecipeScores(task.examples, task.images, task.metric, "sigmoid")
    grid = object_size_grid(scores, task.folds, SIZES)
    check(task, grid, list(itertools.product(range(19), range(len(SIZES)))))
    assert grid.first_of_second_axis().totals.shape == (3, 19, 1, 2)
