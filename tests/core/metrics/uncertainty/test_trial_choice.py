import numpy as np
import pytest

from toolkit.core.metrics.uncertainty.trial_choice import Point, behind, nested_choice

EQUAL = np.ones(3)


def test_each_fold_is_scored_by_the_trial_that_is_best_on_the_others() -> None:
    # Trial 0 is best on all folds together, but only thanks to fold 0; without it trial 1 is best.
    scores = np.array([[0.9, 0.5, 0.5], [0.3, 0.6, 0.6], [0.5, 0.4, 0.5]])
    found = nested_choice(scores, EQUAL, "max")
    assert found.best == 0
    assert found.by_fold == (1, 0, 0)
    assert found.scores == (0.3, 0.5, 0.5)
    assert found.nested == pytest.approx((0.3 + 0.5 + 0.5) / 3)
    assert found.optimistic == pytest.approx((0.9 + 0.5 + 0.5) / 3)


def test_folds_weigh_as_many_images_as_they_have() -> None:
    scores = np.array([[0.9, 0.1], [0.4, 0.2]])
    assert nested_choice(scores, np.array([1.0, 1.0]), "max").best == 0
    assert nested_choice(scores, np.array([1.0, 9.0]), "max").best == 1


def test_less_is_better_mirrors_the_choice() -> None:
    scores = np.random.default_rng(0).random((6, 3))
    most, least = nested_choice(scores, EQUAL, "max"), nested_choice(-scores, EQUAL, "min")
    assert (most.best, most.by_fold, most.nested) == (least.best, least.by_fold, -least.nested)


def test_nested_is_at_most_optimistic_for_equal_folds_on_average() -> None:
    random = np.random.default_rng(1)
    found = [nested_choice(random.random((10, 5)), np.ones(5), "max") for _ in range(200)]
    assert np.mean([one.optimistic for one in found]) > np.mean([one.nested for one in found]) + 0.1
    assert np.mean([one.nested for one in found]) == pytest.approx(0.5, abs=0.03)  # what a trial is worth


def test_a_single_fold_cannot_judge_and_a_fold_without_score_does_not_count() -> None:
    alone = nested_choice(np.array([[0.1], [0.2]]), np.ones(1), "max")
    assert (alone.best, alone.by_fold) == (1, ())
    assert np.isnan(alone.nested)
    found = nested_choice(np.array([[0.1, np.nan, 0.3], [0.2, np.nan, 0.1]]), EQUAL, "max")
    assert (found.best, found.optimistic) == (0, pytest.approx(0.2))
    with pytest.raises(ValueError, match="at least one trial"):
        nested_choice(np.zeros((0, 3)), EQUAL, "max")


def test_a_trial_ends_early_when_it_is_worse_than_the_median_of_enough_others() -> None:
    others = [{Point(0, 40): value, Point(0, 100): 0.9} for value in (0.2, 0.4, 0.6, 0.8)]
    found = behind({Point(0, 50): 0.45}, Point(0, 50), others, "max")
    assert found is not None
    assert (found.median, found.trials) == (0.5, 4)
    assert behind({Point(0, 50): 0.55}, Point(0, 50), others, "max") is None
    assert behind({Point(0, 50): 0.55}, Point(0, 50), others, "min") is not None
    assert behind({Point(0, 50): 0.45}, Point(0, 50), others[:3], "max") is None
    assert behind({Point(0, 33): 0.0}, Point(0, 33), others, "max") is None
    assert behind({Point(1, 50): 0.0}, Point(1, 50), others, "max") is None
