from collections.abc import Callable

import numpy as np
import pytest

from toolkit.core.recipe.postprocess import IDENTITY
from toolkit.core.recipe.probabilities import count_levels
from toolkit.core.recipe.recipe import ClassRecipe, Recipe, Triplet
from toolkit.core.tuning.recipe_search import tune
from toolkit.core.tuning.threshold_shift import (
    Looker,
    MatchedShare,
    distance,
    look_at_folds,
    matched,
    try_matched_share,
)

SIZE = (16, 16)


def counts(values: np.ndarray) -> np.ndarray:
    return count_levels(values.astype(np.uint8).reshape(*SIZE, -1))


def test_a_look_by_hand() -> None:
    looker = Looker(1, "sigmoid")
    stored = np.array([[0, 25, 26, 255]], np.uint8)[..., None]
    looker.add(stored, stored > 30)
    looker.add(stored, stored > 255 - 1)
    looker.add(stored, np.zeros((1, 4, 1), np.bool_))
    look = looker.look()
    assert (look.images, look.empty_share) == (3, pytest.approx(1 / 3))
    assert look.mean_coverage == pytest.approx(1 / 6)
    assert look.histogram == (0.5, 0.25, 0, 0, 0, 0, 0, 0, 0, 0.25)
    assert distance(look.histogram, (1, *[0] * 9)) == 0.5


def test_the_background_of_exclusive_classes_is_not_looked_at() -> None:
    looker = Looker(2, "softmax")
    stored = np.zeros((2, 2, 2), np.uint8)
    stored[..., 0] = 255
    looker.add(stored, stored > 0)
    look = looker.look()
    assert (look.empty_share, look.mean_coverage, look.histogram[0]) == (1, 0, 1)


def test_thresholds_follow_predictions_that_are_fainter() -> None:
    levels = np.random.default_rng(0).permutation(256)
    source, target = counts(levels), counts(levels // 2)
    recipe = Recipe((ClassRecipe(0.5, triplet=Triplet(0.8, 5), minimum_area=3),))
    (rule,) = matched(recipe, source, target, "sigmoid").classes
    assert rule.threshold == pytest.approx(0.25, abs=0.003)
    assert rule.triplet.threshold == pytest.approx(0.4, abs=0.003)
    assert (rule.triplet.minimum_area, rule.minimum_area) == (5, 3)


def test_nothing_moves_between_equal_predictions() -> None:
    levels = counts(np.random.default_rng(0).integers(0, 256, 256))
    recipe = Recipe((ClassRecipe(87.5 / 255, triplet=Triplet(200.5 / 255, 5)),))
    assert matched(recipe, levels, levels, "sigmoid") == recipe
    assert matched(IDENTITY, levels, levels, "sigmoid") == IDENTITY


def test_every_class_moves_for_itself_and_exclusive_ones_only_by_thresholds() -> None:
    random = np.random.default_rng(0).permutation(256)
    source = np.concatenate([counts(random)] * 2)
    target = np.concatenate([counts(random), counts(random // 2)])
    first, second = matched(IDENTITY, source, target, "sigmoid").classes
    assert (first.threshold, second.threshold) == (0.5, pytest.approx(0.25, abs=0.003))
    assert matched(IDENTITY, source, target, "softmax") == IDENTITY
    recipe = Recipe((ClassRecipe(), ClassRecipe(0.4)), "most_probable")
    background, other = matched(recipe, source, target, "softmax").classes
    assert background == ClassRecipe()
    assert other.threshold == pytest.approx(0.2, abs=0.003)


@pytest.mark.parametrize("faint", [True, False])
def test_shares_help_where_folds_differ_in_how_sure_they_are(faint: bool, task_of: Callable) -> None:
    """Half of each image is foreground; where predictions are faint, those of each fold are so by another factor."""
    random = np.random.default_rng(0)
    folds = np.arange(32) % 4
    maps, labels = [], []
    for fold in folds:
        truth = np.zeros(SIZE, np.uint8)
        truth.reshape(-1)[random.permutation(256)[:128]] = 1
        levels = np.where(truth, random.integers(120, 256, SIZE), random.integers(0, 136, SIZE))
        maps.append((levels * (1 - 0.15 * fold * faint)).astype(np.uint8)[..., None])
        labels.append(truth)
    task = task_of(maps, labels, folds, "dice")
    tuned = tune(task, ("threshold",))
    folds = look_at_folds(task, tuned.recipe)
    assert folds.levels.sum() == 32 * 256
    assert folds.look.images == 32
    wrong = np.mean([(stored[..., 0] > 127) != truth for stored, truth in zip(maps, labels, strict=True)])
    assert folds.wrong_share == pytest.approx(wrong)
    shares = try_matched_share(task, tuned.by_fold, folds.levels)
    assert shares.helps == faint
    if faint:
        assert shares.gain > 0.01


def test_a_gain_has_to_exceed_its_error() -> None:
    assert MatchedShare(0.2, 0.1).helps
    assert not MatchedShare(0.1, 0.1).helps
    assert not MatchedShare(float("nan"), float("nan")).helps
