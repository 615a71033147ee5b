import itertools
from collections.abc import Callable

import numpy as np
import pytest

from toolkit.core.masks.labels import IGNORE
from toolkit.core.recipe.recipe import ClassRecipe, Emptiness, Recipe, Triplet
from toolkit.core.tuning.area_histograms import UNTUNED
from toolkit.core.tuning.grids import Tally, blocks_of
from toolkit.core.tuning.object_sizes import ObjectSizeStep, sweep_objects
from toolkit.core.tuning.recipe_scores import Evidence
from toolkit.core.tuning.task import RecipeTask

SIZES = np.array([0, 2, 4, 7])
CURRENTS = [
    Recipe(),
    Recipe((ClassRecipe(0.4, minimum_area=9),)),
    Recipe((ClassRecipe(0.3, triplet=Triplet(0.7, 4)),)),
    Recipe((ClassRecipe(0.6, emptiness=Emptiness("mean_of_top", 0.7, 5), minimum_area=3),)),
]


@pytest.fixture
def task(task_of: Callable, request: pytest.FixtureRequest) -> RecipeTask:
    """Rough maps with many small objects, some void."""
    random = np.random.default_rng(2)
    maps, labels = [], []
    for number in range(6):
        truth = np.kron(random.random((3, 4)) < 0.4, np.ones((3, 3))).astype(np.uint8)
        maps.append(np.clip(90 * truth + random.integers(0, 166, truth.shape), 0, 255).astype(np.uint8)[..., None])
        if number % 3 == 0:
            truth[4:6] = IGNORE
        labels.append(truth)
    return task_of(maps, labels, np.arange(6) % 3, request.param)


def check(task: RecipeTask, sweep: object, positions: list) -> None:
    evidence = Evidence(task.examples, task.images, task.metric, "sigmoid")
    recipes = [sweep.recipe(position) for position in positions]
    measured = evidence.measure(recipes, "")
    for fold in range(3):
        scores = Tally(task.metric).score(sweep.totals[fold])
        for position, recipe in zip(positions, recipes, strict=True):
            expected = task.metric.score(measured[recipe][task.folds == fold])
            assert scores[position] == pytest.approx(expected, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("task", ["dice", "miou", "pixel_accuracy"], indirect=True)
def test_sizes_of_objects_equal_scoring_the_masks_of_every_recipe(task: RecipeTask) -> None:
    evidence = Evidence(task.examples, task.images, task.metric, "sigmoid")
    sweeps = ObjectSizeStep(evidence, blocks_of(task.folds), SIZES).sweeps(CURRENTS)
    positions = list(itertools.product(range(UNTUNED % 25, 255, 25), range(len(SIZES))))
    for current in CURRENTS:
        (sweep,) = sweeps[current]
        rule = sweep.recipe((UNTUNED, 2)).classes[0]
        assert (rule.threshold, rule.minimum_object_size) == (0.5, 4)
        assert (rule.minimum_area, rule.triplet) == (current.classes[0].minimum_area, current.classes[0].triplet)
        check(task, sweep, positions)


@pytest.mark.parametrize("task", ["instance_map", "airbus_f2"], indirect=True)
def test_matched_objects_equal_scoring_the_masks_of_every_recipe(task: RecipeTask) -> None:
    evidence = Evidence(task.examples, task.images, task.metric, "sigmoid")
    sweep = sweep_objects(evidence, blocks_of(task.folds), SIZES)
    check(task, sweep, list(itertools.product(range(19), range(len(SIZES)))))
    assert sweep.without_minimums().totals.shape == (3, 19, 1, 2)
