import itertools

import numpy as np
import pytest

from toolkit.core.area_metrics import AreaFormula, dice, fbeta, iou, precision, recall, salt_map
from toolkit.core.blend import to_stored
from toolkit.core.judging import Judge
from toolkit.core.metrics import MetricSpec, build_metric
from toolkit.core.postprocess import IDENTITY, mask_of
from toolkit.core.recipe import ClassRecipe, Recipe
from toolkit.core.search import (
    THRESHOLDS,
    AreasByThreshold,
    Surface,
    areas_by_threshold,
    candidate_areas,
    pooled_surface,
    score_surface,
    surface_of,
    tune,
)

HALF = 127
METRICS: dict[str, AreaFormula] = {
    "dice": dice(),
    "iou": iou(),
    "salt_map": salt_map(),
    "precision": precision(),
    "recall": recall(),
    "f2": fbeta(2),
}
STORED = pytest.mark.parametrize("stored_type", ["uint8", "float16"])


def rule(threshold: float = 0.5, minimum_area: int = 0) -> Recipe:
    return Recipe((ClassRecipe(threshold=threshold, minimum_area=minimum_area),))


def random_truth(random: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """A rectangle, or nothing in one of three."""
    truth = np.zeros(size, np.bool_)
    if random.random() < 2 / 3:
        (top, bottom), (left, right) = (np.sort(random.integers(0, side + 1, 2)) for side in size)
        truth[top:bottom, left:right] = True
    return truth


def random_images(
    count: int, seed: int, stored_type: str = "uint8", size: tuple[int, int] = (7, 9)
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Kept maps that know something of their truths, and the truths."""
    random = np.random.default_rng(seed)
    truths = [random_truth(random, size) for _ in range(count)]
    maps = [np.clip(0.35 * truth + random.random(size) ** 2, 0, 1).astype(np.float32) for truth in truths]
    return [to_stored(some, stored_type) for some in maps], truths


def areas_of(maps: list[np.ndarray], truths: list[np.ndarray]) -> AreasByThreshold:
    intersection, predicted, truth = zip(*map(areas_by_threshold, maps, truths), strict=True)
    return AreasByThreshold(np.stack(intersection), np.stack(predicted), np.array(truth, np.int64))


def mean_score(recipe: Recipe, maps: list[np.ndarray], truths: list[np.ndarray], metric: str) -> float:
    masks = [mask_of(some, recipe.classes[0]) for some in maps]
    return float(np.mean(list(map(METRICS[metric].of_masks, masks, truths))))


def flat_surface(folds: int, areas: int = 3) -> Surface:
    """Ten images in each fold, every recipe scores 0.5."""
    return Surface(np.full((folds, 255, areas), 5.0), np.full(folds, 10), np.arange(areas) * 10)


def test_thresholds_lie_between_neighbouring_levels() -> None:
    levels = np.arange(256) / 255
    assert len(THRESHOLDS) == 255
    assert THRESHOLDS[HALF] == 0.5
    assert (levels[:-1] < THRESHOLDS).all()
    assert (levels[1:] > THRESHOLDS).all()


@STORED
@pytest.mark.parametrize("seed", range(4))
def test_areas_equal_those_of_the_masks_that_recipes_make(stored_type: str, seed: int) -> None:
    for stored, truth in zip(*random_images(3, seed, stored_type, (11, 6)), strict=True):
        intersection, predicted, area = areas_by_threshold(stored, truth)
        masks = [mask_of(stored, ClassRecipe(threshold)) for threshold in THRESHOLDS]
        assert intersection.tolist() == [(mask & truth).sum() for mask in masks]
        assert predicted.tolist() == [mask.sum() for mask in masks]
        assert area == truth.sum()


@STORED
def test_areas_of_maps_at_the_very_thresholds(stored_type: str) -> None:
    levels = np.concatenate([np.arange(256) / 255, THRESHOLDS]).astype(np.float32).reshape(7, 73)
    stored, truth = to_stored(levels, stored_type), np.ones((7, 73), np.bool_)
    masks = [mask_of(stored, ClassRecipe(threshold)) for threshold in THRESHOLDS]
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


@pytest.mark.parametrize("metric", sorted(METRICS))
@pytest.mark.parametrize("seed", range(2))
def test_the_surface_equals_scoring_the_masks_of_every_recipe(metric: str, seed: int) -> None:
    maps, truths = random_images(6, seed, "uint8" if seed else "float16")
    folds = np.array([0, 1, 2, 0, 1, 1])
    surface = score_surface(areas_of(maps, truths), folds, METRICS[metric])
    whole, last_two = surface.mean(), surface.mean(np.array([False, True, True]))
    assert whole.shape == (255, len(surface.minimum_areas))
    held_in = folds > 0
    for row, column in itertools.product(range(0, 255, 14), range(len(surface.minimum_areas))):
        recipe = rule(float(THRESHOLDS[row]), int(surface.minimum_areas[column]))
        assert whole[row, column] == pytest.approx(mean_score(recipe, maps, truths, metric), abs=1e-12)
        some = [[image for image, taken in zip(images, held_in, strict=True) if taken] for images in (maps, truths)]
        assert last_two[row, column] == pytest.approx(mean_score(recipe, *some, metric), abs=1e-12)


def test_the_order_of_images_does_not_matter() -> None:
    maps, truths = random_images(600, 5)
    folds = np.arange(600) % 4
    order = np.random.default_rng(6).permutation(600)
    shuffled = areas_of([maps[i] for i in order], [truths[i] for i in order])
    first = score_surface(areas_of(maps, truths), folds, METRICS["dice"])
    second = score_surface(shuffled, folds[order], METRICS["dice"])
    np.testing.assert_allclose(first.sums, second.sums, rtol=1e-12)
    assert first.counts.tolist() == second.counts.tolist() == [150] * 4
    assert tune(first).recipe == tune(second).recipe


@pytest.mark.parametrize("metric", sorted(METRICS))
def test_the_three_scores_are_scores_of_masks(metric: str) -> None:
    maps, truths = random_images(30, 7)
    tuned = tune(score_surface(areas_of(maps, truths), np.arange(30) % 3, METRICS[metric]))
    assert tuned.untuned == pytest.approx(mean_score(IDENTITY, maps, truths, metric), abs=1e-12)
    assert tuned.tuned == pytest.approx(mean_score(tuned.best, maps, truths, metric), abs=1e-12)
    assert tuned.tuned >= tuned.untuned


def test_a_planted_threshold_is_found() -> None:
    random = np.random.default_rng(0)
    truths = [random_truth(random, (12, 12)) for _ in range(30)]
    maps = []
    for truth in truths:
        probability = np.where(truth, random.uniform(0.32, 0.45, truth.shape), random.uniform(0, 0.25, truth.shape))
        maps.append(to_stored(probability.astype(np.float32), "uint8"))
    tuned = tune(score_surface(areas_of(maps, truths), np.arange(30) % 5, METRICS["salt_map"]))
    faintest = min(some[truth].min() for some, truth in zip(maps, truths, strict=True) if truth.any()) / 255
    assert tuned.untuned < 0.8
    assert tuned.tuned == 1
    assert tuned.nested > 0.95
    # Of all perfect thresholds the one nearest to one half.
    perfect = THRESHOLDS[faintest > THRESHOLDS]
    assert tuned.recipe == tuned.best == rule(float(perfect.max()), 0)


def test_a_planted_minimum_area_is_found() -> None:
    random = np.random.default_rng(0)
    truths, maps = [], []
    for index in range(30):
        truth, crumbs = np.zeros((2, 16, 16), np.bool_)
        if index % 2:
            truth[2:10, 3 : 8 + index % 4] = True
        else:
            crumbs.reshape(-1)[random.choice(256, 1 + index % 9, replace=False)] = True
        truths.append(truth)
        maps.append(np.where(truth | crumbs, 255, 0).astype(np.uint8))
    areas = areas_of(maps, truths)
    tuned = tune(score_surface(areas, np.arange(30) % 5, METRICS["salt_map"]))
    assert tuned.untuned == 0.5
    assert tuned.tuned == tuned.nested == 1
    candidates = candidate_areas(areas.truth)
    assert tuned.recipe == rule(0.5, int(candidates[candidates > 9].min()))


@pytest.mark.parametrize("metric", sorted(METRICS))
def test_the_identity_stays_where_it_is_perfect(metric: str) -> None:
    truths = random_images(20, 1)[1]
    maps = [np.where(truth, 180, 40).astype(np.uint8) for truth in truths]
    tuned = tune(score_surface(areas_of(maps, truths), np.arange(20) % 4, METRICS[metric]))
    assert (tuned.untuned, tuned.tuned, tuned.nested) == (1, 1, 1)
    assert tuned.recipe == tuned.best == IDENTITY


def test_the_identity_stays_where_no_recipe_differs() -> None:
    tuned = tune(flat_surface(3))
    assert (tuned.untuned, tuned.tuned, tuned.nested) == (0.5, 0.5, 0.5)
    assert tuned.recipe == tuned.best == IDENTITY


@pytest.mark.parametrize(
    ("equals", "chosen"),
    [
        ([(10, 0), (100, 0), (200, 0)], (100, 0)),
        ([(120, 2), (140, 0)], (120, 2)),
        ([(120, 0), (140, 0)], (120, 0)),
        ([(126, 2), (128, 1)], (128, 1)),
        ([(90, 2), (90, 1)], (90, 1)),
        ([(254, 0), (127, 2), (126, 0)], (127, 2)),
    ],
)
def test_among_equals_the_recipe_nearest_to_the_identity_is_chosen(
    equals: list[tuple[int, int]], chosen: tuple[int, int]
) -> None:
    surface = flat_surface(2)
    for row, column in equals:
        surface.sums[:, row, column] = 8
    recipe = tune(surface).recipe
    assert recipe == rule(float(THRESHOLDS[chosen[0]]), int(surface.minimum_areas[chosen[1]]))


def test_every_fold_is_scored_with_what_the_others_chose() -> None:
    surface = flat_surface(3)
    # Per fold, the sums at two thresholds: A wins over all, but without fold 0 B does.
    surface.sums[:, 50, 0] = [9.0, 6.0, 6.0]
    surface.sums[:, 200, 0] = [1.0, 7.0, 7.5]
    tuned = tune(surface)
    assert tuned.best.classes[0].threshold == THRESHOLDS[50]
    assert tuned.tuned == pytest.approx(21 / 30)
    # Fold 0 is scored with B; folds 1 and 2 with A.
    assert tuned.nested == pytest.approx((1 + 6 + 6) / 30)


def test_the_identity_stays_where_the_folds_contradict_each_other() -> None:
    surface = flat_surface(2)
    surface.sums[:, 50, 1] = [9.0, 2.0]
    surface.sums[:, 200, 0] = [2.0, 8.5]
    tuned = tune(surface)
    assert (tuned.untuned, tuned.tuned) == (0.5, 0.55)
    assert tuned.nested == 0.2
    assert tuned.best == rule(float(THRESHOLDS[50]), 10)
    assert tuned.recipe == IDENTITY


def test_the_identity_stays_where_nested_only_equals_it() -> None:
    surface = flat_surface(2)
    surface.sums[0, 50, 0] = 6
    tuned = tune(surface)
    assert tuned.tuned > tuned.untuned == tuned.nested
    assert tuned.recipe == IDENTITY != tuned.best


def test_folds_count_by_their_images() -> None:
    sums = np.full((2, 255, 1), 0.0)
    sums[0], sums[1] = 45, 1
    tuned = tune(Surface(sums, np.array([90, 10]), np.array([0])))
    assert (tuned.untuned, tuned.tuned, tuned.nested) == (0.46, 0.46, 0.46)


def test_the_nested_score_of_noise_promises_nothing_while_the_tuned_one_does() -> None:
    random = np.random.default_rng(0)
    tuned_gains, nested_gains, kept = [], [], 0
    for _ in range(150):
        surface = Surface(random.normal(25, 1, (5, 255, 3)), np.full(5, 50), np.array([0, 5, 10]))
        tuned = tune(surface)
        assert (tuned.recipe == IDENTITY) == (tuned.nested <= tuned.untuned)
        tuned_gains.append(tuned.tuned - tuned.untuned)
        nested_gains.append(tuned.nested - tuned.untuned)
        kept += tuned.recipe == IDENTITY
    spread = np.std(nested_gains) / np.sqrt(150)
    assert abs(np.mean(nested_gains)) < 3 * spread
    assert np.mean(tuned_gains) > 10 * spread
    assert 40 < kept < 110


def pooled_score(recipe: Recipe, maps: list[np.ndarray], truths: list[np.ndarray], spec: MetricSpec) -> float:
    """What the judge of everything else says of the masks of this recipe."""
    judge = Judge([build_metric(spec, 1, "sigmoid")], "sigmoid", recipe)
    for stored, truth in zip(maps, truths, strict=True):
        judge.add(stored[..., None], truth.astype(np.uint8))
    return judge.scores()[spec.label]


def with_pixels(maps: list[np.ndarray], truths: list[np.ndarray]) -> AreasByThreshold:
    areas = areas_of(maps, truths)
    pixels = np.array([truth.size for truth in truths], np.int64)
    return AreasByThreshold(areas.intersection, areas.predicted, areas.truth, areas.predicted, pixels)


SPECS = [
    MetricSpec("global_dice"),
    MetricSpec("miou"),
    MetricSpec("pixel_accuracy"),
    MetricSpec("dice", (("empty", "skip"),)),
    MetricSpec("dice", (("empty", "zero"),)),
    MetricSpec("precision", (("empty", "skip"),)),
    MetricSpec("recall", (("empty", "skip"),)),
]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.label)
def test_surfaces_of_other_metrics_equal_what_the_judge_says(spec: MetricSpec) -> None:
    maps, truths = random_images(12, 3)
    folds = np.arange(12) % 3
    surface = surface_of(with_pixels(maps, truths), folds, build_metric(spec, 1, "sigmoid"))
    whole, without_first = surface.mean(), surface.mean(np.array([False, True, True]))
    assert surface.folds_count == 3
    for row, column in itertools.product(range(0, 255, 21), range(0, len(surface.minimum_areas), 3)):
        recipe = rule(float(THRESHOLDS[row]), int(surface.minimum_areas[column]))
        expected = pooled_score(recipe, maps, truths, spec)
        assert whole[row, column] == pytest.approx(expected, abs=1e-12, nan_ok=True)
        some = [[image for image, fold in zip(images, folds, strict=True) if fold] for images in (maps, truths)]
        assert without_first[row, column] == pytest.approx(pooled_score(recipe, *some, spec), abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.label)
def test_the_nested_score_is_that_of_the_masks_that_each_fold_would_get(spec: MetricSpec) -> None:
    maps, truths = random_images(24, 9)
    folds = np.arange(24) % 2
    surface = surface_of(with_pixels(maps, truths), folds, build_metric(spec, 1, "sigmoid"))
    tuned = tune(surface)
    assert tuned.untuned == pytest.approx(pooled_score(IDENTITY, maps, truths, spec), abs=1e-12)
    assert tuned.tuned == pytest.approx(pooled_score(tuned.best, maps, truths, spec), abs=1e-12)
    judge = Judge([build_metric(spec, 1, "sigmoid")], "sigmoid")
    for fold in range(2):
        scores = surface.mean(np.arange(2) != fold)
        row, column = np.unravel_index(nearest_best(scores), scores.shape)
        recipe = rule(float(THRESHOLDS[row]), int(surface.minimum_areas[column]))
        for position in np.flatnonzero(folds == fold):
            mask = mask_of(maps[position], recipe.classes[0])
            judge.add((mask * np.uint8(255))[..., None], truths[position].astype(np.uint8))
    assert tuned.nested == pytest.approx(judge.scores()[spec.label], abs=1e-12)


def nearest_best(scores: np.ndarray) -> int:
    """The best recipe nearest to the identity, looked for one by one."""
    best = np.argwhere(scores >= np.nanmax(scores) - 1e-12).tolist()
    row, column = min(best, key=lambda position: (abs(position[0] - HALF), position[1]))
    return int(row * scores.shape[1] + column)


def test_void_pixels_count_for_the_size_of_a_mask_but_for_no_score() -> None:
    stored = np.array([[255, 255, 255, 0]], np.uint8)
    truth = np.array([[True, False, False, True]])
    valid = np.array([[True, True, False, True]])
    parts = areas_by_threshold(stored[valid], truth[valid])
    sizes = areas_by_threshold(stored, truth)[1]
    areas = AreasByThreshold(parts[0][None], parts[1][None], np.array([parts[2]]), sizes[None], np.array([3]))
    assert (parts[0][HALF], parts[1][HALF], parts[2]) == (1, 2, 2)
    assert areas.kept(slice(None), 3)[0, HALF]
    assert not areas.kept(slice(None), 4)[0, HALF]
    surface = score_surface(areas, np.array([0]), dice())
    assert surface.mean()[HALF, 0] == 2 * 1 / (2 + 2)


def test_pooling_by_pixels_needs_their_number() -> None:
    areas = areas_of(*random_images(4, 0))
    metric = build_metric(MetricSpec("pixel_accuracy"), 1, "sigmoid")
    with pytest.raises(ValueError, match="how many pixels"):
        pooled_surface(areas, np.array([0, 1, 0, 1]), metric)


def test_metrics_of_objects_have_no_surface() -> None:
    areas = with_pixels(*random_images(4, 0))
    with pytest.raises(ValueError, match="instance_map depends on more than areas"):
        surface_of(areas, np.array([0, 1, 0, 1]), build_metric(MetricSpec("instance_map"), 1, "sigmoid"))


def test_a_fold_of_skipped_images_only_leaves_the_choice_to_the_others() -> None:
    truths = [np.zeros((4, 4), np.bool_), np.eye(4, dtype=np.bool_)]
    maps = [np.zeros((4, 4), np.uint8), np.where(truths[1], 100, 20).astype(np.uint8)]
    tuned = tune(score_surface(areas_of(maps, truths), np.array([0, 1]), dice("skip")))
    assert tuned.untuned == 0
    assert tuned.tuned == 1
    assert tuned.nested == 0  # nothing to learn from fold 0, so that fold 1 keeps the identity
    assert tuned.recipe == IDENTITY
