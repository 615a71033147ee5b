from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest

from toolkit.core.masks.labels import IGNORE
from toolkit.core.metrics.scorer import Scorer
from toolkit.core.recipe.recipe import ClassRecipe, Emptiness, Recipe, Triplet, Watershed
from toolkit.core.tuning.recipe_scores import RecipeScores

SIZE = (40, 31)
RULES = [
    ClassRecipe(),
    ClassRecipe(0.3),
    ClassRecipe(0.3, minimum_object_size=15),
    ClassRecipe(0.3, Emptiness("maximum", 0.9), Triplet(0.8, 5), minimum_object_size=40, minimum_area=60),
    ClassRecipe(0.3, fill_holes=20),
    ClassRecipe(0.3, fill_holes=30),
    ClassRecipe(0.6, opening=1, keep_largest=2),
    ClassRecipe(0.95, minimum_area=30),
]


def smooth(random: np.random.Generator) -> np.ndarray:
    field = cv2.GaussianBlur(random.normal(size=SIZE).astype(np.float32), (0, 0), 2)
    return (255 * (field - field.min()) / (field.max() - field.min())).astype(np.uint8)


def images(count: int, classes: int, *, ignored: bool) -> tuple[list, list, list]:
    """Smooth maps, their truth with some noise and void, and true objects: cells of a grid."""
    random = np.random.default_rng(0)
    maps = [np.stack([smooth(random) for _ in range(classes)], axis=-1) for _ in range(count)]
    labels, objects = [], []
    for stored in maps:
        noisy = stored.astype(int) + random.integers(-40, 40, stored.shape)
        truth = (noisy > 128) @ (1 << np.arange(classes))
        if ignored:
            truth[random.random(SIZE) < 0.1] = IGNORE
        labels.append(truth.astype(np.uint8))
        rows, columns = np.indices(SIZE)
        objects.append((1 + rows // 9 * 7 + columns // 8).astype(np.int32))
    return maps, labels, objects


@pytest.mark.train  # takes a second
@pytest.mark.parametrize("metric", ["instance_map", "airbus_f2", "dice"])
@pytest.mark.parametrize(("classes", "ignored"), [(1, True), (2, False), (2, True)])
def test_recipes_score_what_the_scorer_says(metric: str, classes: int, ignored: bool, task_of: Callable) -> None:
    maps, labels, objects = images(3, classes, ignored=ignored)
    for known in (None, objects):
        task = task_of(maps, labels, np.arange(3), metric, objects=known)
        recipes = [Recipe((rule,)) for rule in RULES]
        recipes += [replace(recipe, split=Watershed(distance)) for recipe in recipes for distance in (2, 5, 30)]
        scores = RecipeScores(task.examples, task.images, task.metric, task.activation)
        found = scores.measure(recipes, "")
        assert len(found) == len(recipes)
        for example in task.examples(""):
            for recipe in recipes:
                scorer = Scorer([task.metric], task.activation, recipe)
                scorer.add(example.stored, example.labels, example.objects)
                assert np.array_equal(found[recipe][example.position], scorer.scored().statistics[0][0])
        each = scores.measure_each(recipes[-3:], "")
        for position, recipe in enumerate(recipes[-3:]):
            assert np.array_equal(each[position], found[recipe][position])
