import numpy as np
import pytest

from toolkit.commands.reporting.threshold_curves import find_curves, has_curves
from toolkit.core.metrics.registry import MetricSpec, build_metric
from toolkit.core.recipe.postprocess import masks_of
from toolkit.core.recipe.recipe import ClassRecipe, Recipe, Triplet
from toolkit.core.tuning.recipe_scores import Example, RecipeScores
from toolkit.core.tuning.task import RecipeTask

NAMES = ("first", "second")


def task_of(metric: str, classes: int = 1, activation: str = "sigmoid") -> RecipeTask:
    random = np.random.default_rng(1)
    examples = []
    for position in range(6):
        stored = random.integers(0, 256, (9, 7, classes), np.uint8)
        labels = random.integers(0, 2**classes if activation == "sigmoid" else classes, (9, 7), np.uint8)
        labels[0, :2] = 255
        if position == 2:
            labels[:] = 0
        examples.append(Example(position, stored, labels))
    built = build_metric(MetricSpec(metric), classes, activation)  # type: ignore[arg-type]
    return RecipeTask(lambda what: iter(examples), np.arange(6) % 2, classes, activation, built)  # type: ignore[arg-type]


def score(task: RecipeTask, recipe: Recipe) -> float:
    scores = RecipeScores(task.examples, 6, task.metric, task.activation)
    return task.metric.score(scores.measure([recipe], "")[recipe])


@pytest.mark.parametrize("metric", ["dice", "salt_map", "global_dice", "pixel_accuracy", "instance_map"])
def test_curves_are_what_recipes_score(metric: str) -> None:
    task = task_of(metric)
    found = find_curves(task, NAMES, [1, 2])
    (curve,) = found.curves.classes
    for threshold in range(0, len(curve.thresholds), max(1, len(curve.thresholds) // 5)):
        for place in (0, len(curve.minimums) - 1):
            rule = ClassRecipe(float(curve.thresholds[threshold]), **{curve.minimum: int(curve.minimums[place])})
            assert curve.scores[threshold, place] == pytest.approx(score(task, Recipe((rule,))), abs=1e-12, nan_ok=True)
            lowest = int(curve.levels[threshold])
            assert (np.arange(256) >= lowest).tolist() == [
                bool(
                    masks_of(
                        np.full((1, 1, 1), level, np.uint8), "sigmoid", Recipe((ClassRecipe(rule.threshold),))
                    ).any()
                )
                for level in range(256)
            ]
    assert set(found.of_images) == {(1, 0), (2, 0)}


def test_triplets_are_what_recipes_score_and_leave_empty() -> None:
    task = task_of("dice")
    (curve,) = find_curves(task, NAMES, []).curves.classes
    found = curve.triplet
    assert found is not None
    for bottom, area, top in ((40, 0, 9), (80, len(found.areas) - 1, 30)):
        triplet = Triplet(float(found.tops[top]), int(found.areas[area]))
        recipe = Recipe((ClassRecipe(float(found.bottoms[bottom]), triplet=triplet),))
        assert found.scores[bottom, area, top] == pytest.approx(score(task, recipe), abs=1e-12)
        empty = sum(not masks_of(one.stored, "sigmoid", recipe).any() for one in task.examples(""))
        assert found.empty[bottom, area, top] == empty


def test_empty_masks_are_counted_with_ignored_pixels() -> None:
    task = task_of("dice")
    (curve,) = find_curves(task, NAMES, []).curves.classes
    assert curve.empty is not None
    for threshold, place in ((127, 0), (250, 3), (254, len(curve.minimums) - 1)):
        rule = ClassRecipe(float(curve.thresholds[threshold]), minimum_area=int(curve.minimums[place]))
        empty = sum(not masks_of(one.stored, "sigmoid", Recipe((rule,))).any() for one in task.examples(""))
        assert curve.empty[threshold, place] == empty


@pytest.mark.parametrize(
    ("metric", "activation", "together"),
    [
        ("dice", "sigmoid", "sums"),
        ("miou", "sigmoid", "mean"),
        ("pixel_accuracy", "sigmoid", "alone"),
        ("miou", "softmax", "alone"),
    ],
)
def test_how_the_score_of_all_classes_follows(metric: str, activation: str, together: str) -> None:
    found = find_curves(task_of(metric, 2, activation), NAMES, []).curves
    assert found.together == together
    assert [one.name for one in found.classes] == (["second"] if activation == "softmax" else list(NAMES))


def test_metrics_that_mix_classes_have_no_curves() -> None:
    assert has_curves(task_of("dice"))
    assert has_curves(task_of("instance_map"))
    assert not has_curves(task_of("dice_hausdorff"))
