"""Covers toolkit/core/tuning/recipe_search.py, candidates.py, steps.py and task.py."""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest

from toolkit.core.masks.labels import IGNORE
from toolkit.core.metrics.registry import MetricSpec, PluginMetric
from toolkit.core.metrics.scorer import Scorer
from toolkit.core.metrics.uncertainty.bootstrap import Interval
from toolkit.core.recipe.postprocess import IDENTITY
from toolkit.core.recipe.recipe import WHOLE_MASK, ClassRecipe, Recipe, Watershed
from toolkit.core.tuning.recipe_search import Tuned, tune, without_optimism
from toolkit.core.tuning.task import STEPS, RecipeTask

SIZE = (16, 16)
OF_AREAS = ("threshold", "minimum_area", "triplet", "minimum_object_size")


def score(task: RecipeTask, recipes: list[Recipe], fold: int | None = None) -> float:
    """What the scorer says where each image has its recipe, of all images or those of a fold."""
    statistics = []
    for example in task.examples(""):
        if fold is not None and task.folds[example.position] != fold:
            continue
        scorer = Scorer([task.metric], task.activation, recipes[example.position], task.plugins)
        scorer.add(example.stored, example.labels, example.objects, example.presence)
        statistics.append(scorer.scored().statistics[0])
    return task.metric.score(np.concatenate(statistics))


def check_scores(task: RecipeTask, tuned: Tuned) -> None:
    """The three scores are scores of masks."""
    assert tuned.untuned == pytest.approx(score(task, [IDENTITY] * task.images), abs=1e-12)
    assert tuned.tuned == pytest.approx(score(task, [tuned.best] * task.images), abs=1e-12)
    of_folds = [score(task, [tuned.best] * task.images, fold) for fold in range(len(tuned.by_fold))]
    assert tuned.tuned_by_fold == pytest.approx(of_folds, abs=1e-12, nan_ok=True)
    of_folds = [score(task, [tuned.by_fold[fold]] * task.images, fold) for fold in range(len(tuned.by_fold))]
    assert tuned.nested_by_fold == pytest.approx(of_folds, abs=1e-12, nan_ok=True)
    assert tuned.nested == pytest.approx(score(task, [tuned.by_fold[fold] for fold in task.folds]), abs=1e-12)
    assert tuned.gain == pytest.approx(abs(tuned.nested - tuned.untuned) * (1 if tuned.gain >= 0 else -1), abs=1e-12)
    assert tuned.recipe == (tuned.best if tuned.gain > tuned.standard_error else IDENTITY)


def smooth(random: np.random.Generator, size: tuple[int, int] = SIZE) -> np.ndarray:
    noise = cv2.GaussianBlur(random.normal(size=size).astype(np.float32), (0, 0), 3)
    return noise / noise.std()


def blob(random: np.random.Generator, size: tuple[int, int] = SIZE) -> np.ndarray:
    noise = smooth(random, size)
    return noise > np.quantile(noise, random.uniform(0.4, 0.8))


def faint(count: int = 40, seed: int = 0) -> tuple[list, list]:
    """Maps that are right at thresholds from 0.25 to 0.32 only; every other image is empty."""
    random = np.random.default_rng(seed)
    labels = [(blob(random) if number % 2 else np.zeros(SIZE)).astype(np.uint8) for number in range(count)]
    maps = [
        np.where(truth, random.integers(83, 115, SIZE), random.integers(0, 63, SIZE)).astype(np.uint8)[..., None]
        for truth in labels
    ]
    return maps, labels


# What is planted is found


@pytest.mark.parametrize("folds", [2, 5])
@pytest.mark.parametrize("metric", ["dice", "salt_map", "global_dice", "pixel_accuracy"])
def test_a_planted_threshold_is_found(folds: int, metric: str, task_of: Callable) -> None:
    task = task_of(*faint(), np.arange(40) // 2 % folds, metric)
    tuned = tune(task, OF_AREAS)
    assert tuned.untuned < 0.9
    assert tuned.tuned == tuned.nested == 1
    assert 63 / 255 <= tuned.recipe.classes[0].threshold < 83 / 255
    assert tuned.recipe == tuned.best == Recipe((ClassRecipe(tuned.recipe.classes[0].threshold),))
    # Of all perfect thresholds the one nearest to one half.
    assert tuned.recipe.classes[0].threshold == pytest.approx(82.5 / 255, abs=1 / 255)
    assert [(each.step, each.taken) for each in tuned.tried] == [
        ("threshold", True),
        ("minimum_area", False),
        ("triplet", False),
        ("minimum_object_size", False),
        ("threshold again", False),
    ]
    check_scores(task, tuned)


def crumbs(count: int = 40) -> tuple[list, list]:
    """Sure maps of 6×8 rectangles with crumbs of up to four pixels; every other image has nothing but crumbs."""
    random = np.random.default_rng(0)
    maps, labels = [], []
    for number in range(count):
        truth, dirt = np.zeros(SIZE, np.uint8), np.zeros(SIZE, np.bool_)
        if number % 2:
            truth[4:10, 4:12] = 1
        dirt[0, : 1 + number % 4] = dirt[15, 15] = True
        labels.append(truth)
        maps.append(np.where(truth | dirt, random.integers(200, 256, SIZE), 0).astype(np.uint8)[..., None])
    return maps, labels


def test_a_planted_size_of_objects_is_found(task_of: Callable) -> None:
    task = task_of(*crumbs(), np.arange(40) // 2 % 4)
    tuned = tune(task, ("threshold", "minimum_area", "minimum_object_size"))
    assert tuned.tuned == tuned.nested == 1
    rule = tuned.recipe.classes[0]
    assert 4 < rule.minimum_object_size <= 48
    (surface,) = tune(task, ("threshold", "minimum_object_size"), with_surfaces=True).surfaces
    assert surface.minimum == "minimum_object_size"  # what the rule has
    assert surface.scores.max() == 1
    assert surface.scores[:, 0].max() < 1
    check_scores(task, tuned)


def test_a_planted_triplet_is_found(task_of: Callable) -> None:
    """Empty images have as many pixels above 0.4 as the others, but none above 0.8."""
    random = np.random.default_rng(0)
    maps, labels = [], []
    for number in range(40):
        found = blob(random)
        levels = np.where(found, 110, 0)
        if number % 2:
            levels[found & (np.cumsum(found).reshape(SIZE) < 30)] = 240
        maps.append(levels.astype(np.uint8)[..., None])
        labels.append((found & (number % 2 > 0)).astype(np.uint8))
    task = task_of(maps, labels, np.arange(40) // 2 % 4, "dice")
    tuned = tune(task, OF_AREAS)
    assert tuned.tuned == tuned.nested == 1
    rule = tuned.recipe.classes[0]
    assert rule.triplet is not None
    assert rule.threshold < 110 / 255 < rule.triplet.threshold
    check_scores(task, tuned)


def test_a_planted_presence_head_is_found(task_of: Callable) -> None:
    random = np.random.default_rng(0)
    labels = [(blob(random) if number % 2 else np.zeros(SIZE)).astype(np.uint8) for number in range(40)]
    maps = [
        np.where(blob(random) if not truth.any() else truth, 200, 0).astype(np.uint8)[..., None] for truth in labels
    ]
    presence = np.array([[0.4 if truth.any() else 0.3] for truth in labels], np.float32)
    task = task_of(maps, labels, np.arange(40) // 2 % 4, "dice", presence=presence)
    assert "emptiness" in task.usual_steps()
    tuned = tune(task, ("threshold", "minimum_area", "emptiness"))
    assert tuned.nested == 1
    rule = tuned.recipe.classes[0]
    assert rule.emptiness is not None
    assert rule.emptiness.score == "head"
    assert 0.3 < rule.emptiness.threshold < 0.4
    check_scores(task, tuned)


def discs(count: int = 16) -> tuple[list, list, list]:
    """Pairs of discs that touch, with specks around: labels, and the discs as objects."""
    maps, labels, objects = [], [], []
    for number in range(count):
        known = np.zeros((24, 40), np.uint8)
        cv2.circle(known, (10, 12), 8, 1, -1)
        cv2.circle(known, (26, 12 + number % 2), 8, 2, -1)
        levels = np.where(known > 0, 230, 10).astype(np.uint8)
        levels[0, ::4] = 250  # surer than the discs, so that no threshold takes them away
        maps.append(levels[..., None])
        labels.append((known > 0).astype(np.uint8))
        objects.append(known.astype(np.int32))
    return maps, labels, objects


@pytest.mark.parametrize("metric", ["instance_map", "airbus_f2"])
def test_specks_and_touching_objects_are_mended(metric: str, task_of: Callable) -> None:
    maps, labels, objects = discs()
    task = task_of(maps, labels, np.arange(16) % 4, metric, objects=objects)
    tuned = tune(task, task.usual_steps(), with_surfaces=True)
    assert tuned.untuned < 0.1
    assert tuned.nested > 0.5  # a cut is never exactly where the truth has it
    assert isinstance(tuned.recipe.split, Watershed)
    assert tuned.recipe.classes[0].minimum_object_size > 1
    check_scores(task, tuned)
    (surface,) = tuned.surfaces
    assert surface.minimum == "minimum_object_size"
    assert surface.scores[9, 0] == pytest.approx(tuned.untuned)


def test_steps_that_no_histogram_tells_are_found(task_of: Callable) -> None:
    random = np.random.default_rng(1)
    truth = np.zeros((24, 24), np.uint8)
    truth[4:20, 4:20] = 1
    maps = []
    for _ in range(16):
        levels = np.where(truth, 230, 10).astype(np.uint8)
        levels[random.integers(6, 18, 6), random.integers(6, 18, 6)] = 0
        maps.append(levels[..., None])
    task = task_of(maps, [truth] * 16, np.arange(16) % 4, "iou")
    tuned = tune(task, ("fill_holes", "threshold"))
    assert tuned.nested == 1
    assert tuned.recipe.classes[0].fill_holes in (16, WHOLE_MASK)
    assert [each.step for each in tuned.tried] == ["threshold", "fill_holes", "threshold again"]
    check_scores(task, tuned)


def without_border(mask: np.ndarray, _: np.ndarray) -> np.ndarray:
    mask[[0, -1]] = mask[:, [0, -1]] = False
    return mask


def test_a_step_of_the_users_is_found(task_of: Callable) -> None:
    truth = np.zeros(SIZE, np.uint8)
    truth[3:9, 5:13] = 1
    maps = [np.where(truth, 220, 0).astype(np.uint8)[..., None].copy() for _ in range(12)]
    for stored in maps:
        stored[0] = 250
    task = task_of(maps, [truth] * 12, np.arange(12) % 3, "iou", plugins={"without_border": without_border})
    tuned = tune(task, ("without_border", "threshold"))
    assert tuned.nested == 1
    assert tuned.recipe == Recipe((ClassRecipe(steps=("without_border",)),))
    check_scores(task, tuned)


# Metrics of the user's, and of several classes


def error(prediction: np.ndarray, truth: np.ndarray, valid: np.ndarray) -> float:
    return float((prediction != truth).mean())


def own_metric(classes: int) -> PluginMetric:
    return PluginMetric("error", classes, direction="min", call=error)


def test_a_metric_of_the_users_of_which_less_is_better(task_of: Callable) -> None:
    task = task_of(*faint(), np.arange(40) // 2 % 4, built=own_metric(1))
    tuned = tune(task, task.usual_steps())
    assert tuned.untuned > 0
    assert tuned.tuned == tuned.nested == 0
    assert tuned.gain == pytest.approx(tuned.untuned)
    assert tuned.gap == 0
    assert tuned.recipe.classes[0].threshold in (0.25, 0.3)
    check_scores(task, tuned)


def two_faint() -> tuple[list, list]:
    """Two independent classes, beside each other: one is faint, the other sure of too much."""
    random = np.random.default_rng(0)
    maps, labels = [], []
    for _ in range(32):
        left, right = blob(random), blob(random)
        left[:, 8:], right[:, :8] = False, False
        first = np.where(left, random.integers(90, 110, SIZE), random.integers(0, 70, SIZE))
        second = np.where(right, random.integers(200, 256, SIZE), random.integers(100, 180, SIZE))
        maps.append(np.stack([first, second], axis=-1).astype(np.uint8))
        labels.append((left + 2 * right).astype(np.uint8))
    return maps, labels


@pytest.mark.parametrize("metric", ["dice", "miou", "pixel_accuracy", "own"])
def test_every_class_gets_a_threshold_of_its_own(metric: str, task_of: Callable) -> None:
    options = {"built": own_metric(2)} if metric == "own" else {"metric": metric}
    task = task_of(*two_faint(), np.arange(32) % 4, **options)
    tuned = tune(task, ("threshold", "minimum_area"))
    assert tuned.tuned == tuned.nested == (0 if metric == "own" else 1)
    first, second = tuned.recipe.classes
    assert 70 / 255 <= first.threshold < 90 / 255
    assert 179 / 255 <= second.threshold < 200 / 255
    check_scores(task, tuned)


def test_only_the_class_that_counts_is_searched(task_of: Callable) -> None:
    task = task_of(*two_faint(), np.arange(32) % 4, "dice")
    task = replace(task, metric=task.metric.for_class(1))
    tuned = tune(task, ("threshold",))
    assert tuned.nested == 1
    assert tuned.recipe.classes[0] == ClassRecipe()
    assert tuned.recipe.classes[1].threshold > 0.5
    check_scores(task, tuned)


@pytest.mark.parametrize("metric", ["miou", "dice", "own"])
def test_exclusive_classes_get_thresholds_where_the_most_probable_one_is_wrong(metric: str, task_of: Callable) -> None:
    """The background is always the most probable one, but where class 1 is, class 1 is above 0.3."""
    random = np.random.default_rng(0)
    maps, labels = [], []
    for _ in range(24):
        truth = blob(random)
        one = np.where(truth, 0.4, 0.1)
        two = np.where(truth, 0.05, 0.2) * random.uniform(0.5, 1, SIZE)
        probability = np.stack([1 - one - two, one, two], axis=-1)
        maps.append(np.round(255 * probability).astype(np.uint8))
        labels.append(truth.astype(np.uint8))
        labels[-1][0, 0] = IGNORE
    options = {"built": own_metric(3)} if metric == "own" else {"metric": metric}
    task = task_of(maps, labels, np.arange(24) % 4, activation="softmax", **options)
    assert task.usual_steps()[-1] == "between"
    tuned = tune(task, ("threshold", "between"))
    assert tuned.recipe.between == "most_probable"
    assert 0.1 < tuned.recipe.classes[1].threshold < 0.4
    assert tuned.recipe.classes[0] == ClassRecipe()
    assert tuned.nested == (0 if metric == "own" else 1)
    check_scores(task, tuned)


def test_the_most_probable_of_exclusive_classes_stays_where_it_is_right(task_of: Callable) -> None:
    random = np.random.default_rng(0)
    labels = [blob(random).astype(np.uint8) for _ in range(12)]
    maps = [
        np.stack([np.where(truth, 90, 150), np.where(truth, 110, 60)], axis=-1).astype(np.uint8) for truth in labels
    ]
    tuned = tune(task_of(maps, labels, np.arange(12) % 3, "miou", "softmax"), ("threshold", "between"))
    assert tuned.recipe == IDENTITY
    assert tuned.untuned == tuned.nested == 1


# Noise


def saturated(random: np.random.Generator) -> np.ndarray:
    return np.where(blob(random), random.integers(200, 256, SIZE), 0).astype(np.uint8)


def unsure(random: np.random.Generator) -> np.ndarray:
    return (255 / (1 + np.exp(-2 * smooth(random)))).astype(np.uint8)


def noise(task_of: Callable, seed: int, metric: str, draw: Callable, draw_truth: Callable) -> RecipeTask:
    """Maps that know nothing of the truth."""
    random = np.random.default_rng(seed)
    maps = [draw(random)[..., None] for _ in range(80)]
    labels = [draw_truth(random).astype(np.uint8) for _ in range(80)]
    return task_of(maps, labels, np.arange(80) % 5, metric, seed=seed)


def half(random: np.random.Generator) -> np.ndarray:
    """Half of the pixels of all images are foreground."""
    return smooth(random) > 0


@pytest.mark.parametrize(("metric", "seed"), [("dice", 0), ("iou", 1), ("salt_map", 0), ("global_dice", 1)])
def test_noise_of_which_nothing_can_be_made_keeps_the_identity(metric: str, seed: int, task_of: Callable) -> None:
    """No truth is empty and no threshold adds to these maps: every step can only take away."""
    tuned = tune(noise(task_of, seed, metric, saturated, blob), OF_AREAS)
    assert tuned.recipe == IDENTITY
    assert abs(tuned.nested - tuned.untuned) < 0.005


@pytest.mark.train  # takes a second
def test_what_noise_seems_to_give_is_kept_no_more_often_than_a_standard_error_allows(task_of: Callable) -> None:
    """The hardest noise: every mask is as good as any other, so that each recipe gains or loses by chance alone.

    A gain of chance exceeds its standard error in 16 % of all cases at most; that of the nested score promises nothing
    on the average, while the tuned one does.
    """
    kept, promised, honest = 0, [], []
    for seed in range(12):
        draw = (saturated, unsure)[seed % 2]
        tuned = tune(noise(task_of, seed, "pixel_accuracy", draw, half), ("threshold", "minimum_area"))
        kept += tuned.recipe != IDENTITY
        promised.append(tuned.tuned - tuned.untuned)
        honest.append(tuned.nested - tuned.untuned)
    assert kept <= 5  # more has a probability of 1 % at a rate of 16 %
    # Losses are small and many, gains large and rare: so few draws may well lose on the average, but must not promise.
    assert -0.01 < np.mean(honest) < 3 * np.std(honest) / np.sqrt(12)
    assert np.mean(promised) > max(0, np.mean(honest))


@pytest.mark.parametrize("metric", ["dice", "salt_map", "global_dice", "miou"])
def test_the_identity_stays_where_it_is_perfect(metric: str, task_of: Callable) -> None:
    random = np.random.default_rng(0)
    labels = [blob(random).astype(np.uint8) for _ in range(20)]
    maps = [np.where(truth, 180, 40).astype(np.uint8)[..., None] for truth in labels]
    tuned = tune(task_of(maps, labels, np.arange(20) % 4, metric), OF_AREAS)
    assert (tuned.untuned, tuned.tuned, tuned.nested, tuned.gain) == (1, 1, 1, 0)
    assert tuned.recipe == tuned.best == IDENTITY
    assert not any(each.taken for each in tuned.tried)


def test_nothing_that_counts_gives_no_recipe(task_of: Callable) -> None:
    empty = [np.zeros(SIZE, np.uint8)] * 6
    tuned = tune(task_of([one[..., None] for one in empty], empty, np.arange(6) % 2, MetricSpec("dice", (("empty", "skip"),))), OF_AREAS)  # fmt: skip # noqa: E501
    assert np.isnan(tuned.nested)
    assert tuned.recipe == IDENTITY


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize(("metric", "steps"), [("dice", (*OF_AREAS, "emptiness")), ("instance_map", OF_AREAS[::3])])
def test_fewer_images_than_blocks_are_tuned_too(
    count: int, metric: str, steps: tuple[str, ...], task_of: Callable
) -> None:
    task = task_of(*faint(count), np.arange(count) % 2, metric)
    check_scores(task, tune(task, steps))


# What a fold gets does not depend on it


def test_a_fold_is_scored_with_what_knows_nothing_of_it(task_of: Callable) -> None:
    maps, labels = faint()
    folds = np.arange(40) // 2 % 4
    first = tune(task_of(maps, labels, folds), OF_AREAS)
    turned = [1 - truth if fold == 2 else truth for truth, fold in zip(labels, folds, strict=True)]
    second = tune(task_of(maps, turned, folds), OF_AREAS)
    assert second.by_fold[2] == first.by_fold[2]
    assert second.best != first.best or second.tuned != first.tuned


def test_steps_have_an_order_whatever_they_are_asked_in(task_of: Callable) -> None:
    task = task_of(*faint(8), np.arange(8) // 2 % 2, plugins={"mine": without_border})
    assert task.ordered(STEPS[::-1]) == STEPS
    assert task.ordered(("split", "mine", "threshold")) == ("threshold", "mine", "split")


def test_without_optimism_nothing_leaves_the_range_of_the_metric(task_of: Callable) -> None:
    task = task_of(*crumbs(), np.arange(40) // 2 % 4)
    tuned = tune(task, ("threshold",))
    low = Interval(0.02, 0.04, 0.01)
    tuned = replace(tuned, nested=0.03, kept_score=0.03, interval=low, test_intervals=(low,))
    found = without_optimism(tuned, 0.05, task.metric)
    assert (found.nested, found.kept_score) == (0, 0)
    assert found.nested_by_fold == pytest.approx([max(0, one - 0.05) for one in tuned.nested_by_fold])
    assert (found.interval.low, found.interval.high, found.test_intervals[0].low) == (0, 0, 0)
    assert without_optimism(tuned, 0.01, task.metric).nested == pytest.approx(0.02)
