import math

import numpy as np
import pytest

from toolkit.core.tuning.fold_means import FoldSpread, FoldVotes, gain_of_mean, joined_spread


def test_the_error_of_the_mean_vote_is_that_of_single_folds_less_their_variance() -> None:
    random = np.random.default_rng(0)
    truth = random.random((4, 20, 30, 2)) < 0.3
    masks = random.random((5, 4, 20, 30, 2)) < 0.4
    votes = FoldVotes(2, 5)
    for count in masks.sum(axis=0):
        votes.add(count.astype(np.uint16))
    np.testing.assert_allclose(votes.variance, masks.var(axis=0).mean(axis=(0, 1, 2)))
    wrong = (masks != truth).mean(axis=(0, 1, 2, 3))
    np.testing.assert_allclose(np.square(masks.mean(axis=0) - truth).mean(axis=(0, 1, 2)), wrong - votes.variance)


def test_equal_masks_have_no_variance() -> None:
    votes = FoldVotes(1, 3)
    assert votes.variance.tolist() == [0]
    votes.add(3 * (np.random.default_rng(0).random((9, 7, 1)) < 0.5).astype(np.uint16))
    assert votes.variance.tolist() == [0]


def test_what_is_counted_does_not_depend_on_how_the_images_are_divided() -> None:
    """To the last bit, though the shares of votes are no binary fractions."""
    draw = np.random.default_rng(1)
    images = [draw.integers(0, 4, (int(side), 7, 2)).astype(np.uint16) for side in draw.integers(1, 9, 12)]

    def counted(some: list[np.ndarray]) -> FoldSpread:
        votes = FoldVotes(2, 3)
        levels = np.zeros((2, 256), np.int64)
        for one in some:
            votes.add(one)
            levels[:, 5] += one[..., 0].size
        return FoldSpread(votes.variance, 3 * levels, levels, votes.disagreement)

    whole = counted(images)
    for parts in (images[:5], images[5:]), (images[9:], images[2:9], images[:2]), (images[::-1],):
        found = joined_spread([counted(list(part)) for part in parts], 3)
        assert found is not None
        for name in ("variance", "single", "mean", "disagreement"):
            assert getattr(found, name).tolist() == getattr(whole, name).tolist()


def test_what_was_not_counted_in_a_part_is_not_known_of_all() -> None:
    known = FoldSpread(np.zeros(1), *np.ones((2, 1, 256), np.int64), np.ones(1, np.int64))
    assert joined_spread([known], 2) is not None
    for parts in ([], [None], [known, None], [known, FoldSpread(np.zeros(1))]):
        assert joined_spread(parts, 2) is None


def test_a_gain_by_hand() -> None:
    assert gain_of_mean(0.5, 0.5, "max") == pytest.approx(2 / 3 - 1 / 2)
    assert gain_of_mean(0.4, 0.25, "min") == pytest.approx(0.1)
    assert gain_of_mean(0.7, 0, "max") == gain_of_mean(0.7, -0.1, "max") == 0
    assert gain_of_mean(0.7, 1.2, "max") == pytest.approx(0.3)
    assert gain_of_mean(0, 0.5, "max") == gain_of_mean(0, 1, "max") == 0


@pytest.mark.parametrize("score", [math.nan, -0.1, 1.5])
def test_a_score_of_another_range_gains_nothing(score: float) -> None:
    assert gain_of_mean(score, 0.5, "max") == 0


def test_dice_gains_as_if_wrong_pixels_became_fewer() -> None:
    right, wrong = 300, 200
    before, after = (2 * right / (2 * right + errors) for errors in (wrong, 0.7 * wrong))
    assert gain_of_mean(before, 0.3, "max") == pytest.approx(after - before)
