import numpy as np
import pytest

from toolkit.core.folds.assignment import HOLDOUT, TRAIN, FoldRules, assign_folds, draw_folds, draw_part
from toolkit.core.folds.strata import NO_STRATA, Strata, by_coverage

KINDS = pytest.mark.parametrize("stratified", [True, False], ids=["stratified", "random"])
COUNTS = pytest.mark.parametrize(("count", "folds_count"), [(2, 2), (7, 2), (20, 3), (100, 5), (101, 10), (13, 13)])


def coverages(count: int, seed: int = 0) -> np.ndarray:
    """About two of five images without foreground."""
    random = np.random.default_rng(seed)
    return np.where(random.random(count) < 0.4, 0.0, random.random(count))


def dealt(coverage: np.ndarray, folds_count: int, *, seed: int, stratified: bool = True) -> np.ndarray:
    """The folds of images without groups."""
    strata = by_coverage(coverage) if stratified else NO_STRATA
    return assign_folds(strata, np.arange(len(coverage)), folds_count, seed=seed)


@KINDS
@COUNTS
def test_every_image_is_held_out_once_and_fold_sizes_differ_by_one_at_most(
    count: int, folds_count: int, stratified: bool
) -> None:
    folds = dealt(coverages(count), folds_count, seed=1, stratified=stratified)
    sizes = np.bincount(folds, minlength=folds_count)
    assert folds.shape == (count,)
    assert folds.dtype == np.int64
    assert len(sizes) == folds_count
    assert sizes.max() - sizes.min() <= 1


@COUNTS
@pytest.mark.parametrize("seed", range(5))
def test_empty_images_are_spread_evenly(count: int, folds_count: int, seed: int) -> None:
    coverage = coverages(count, seed)
    folds = dealt(coverage, folds_count, seed=seed)
    empties = np.bincount(folds[coverage == 0], minlength=folds_count)
    assert empties.max() - empties.min() <= 1


@pytest.mark.parametrize("seed", range(10))
def test_total_coverage_of_two_folds_differs_by_less_than_one_full_mask(seed: int) -> None:
    coverage = coverages(200, seed)
    sums = np.bincount(dealt(coverage, 5, seed=seed), weights=coverage)
    assert sums.max() - sums.min() <= coverage.max()


def test_large_and_small_masks_are_in_every_fold() -> None:
    coverage = np.linspace(0.01, 1, 50)
    folds = dealt(coverage, 5, seed=0)
    for tenth in np.split(folds, 10):
        assert sorted(tenth) == [0, 1, 2, 3, 4]


def test_which_fold_gets_the_larger_mask_is_random() -> None:
    folds = dealt(np.linspace(0.01, 1, 200), 2, seed=0)
    assert 30 < folds[::2].sum() < 70


@KINDS
def test_neighbours_of_equal_coverage_share_a_fold_as_often_as_others(stratified: bool) -> None:
    empty = np.zeros(40)
    together = sum(
        folds[0] == folds[1] for folds in (dealt(empty, 4, seed=seed, stratified=stratified) for seed in range(200))
    )
    # 9 of the 39 others are in the same fold; dealing in the order of the images would give none.
    assert 25 < together < 70


@KINDS
def test_the_same_images_and_seed_give_the_same_folds(stratified: bool) -> None:
    coverage = coverages(90)
    first = dealt(coverage, 5, seed=3, stratified=stratified)
    np.random.default_rng(0).random(10)
    assert np.array_equal(dealt(coverage.copy(), 5, seed=3, stratified=stratified), first)


@KINDS
def test_another_seed_gives_other_folds(stratified: bool) -> None:
    coverage = coverages(90)
    drawn = {tuple(dealt(coverage, 5, seed=seed, stratified=stratified)) for seed in range(20)}
    assert len(drawn) == 20


def test_only_stratified_folds_use_coverage() -> None:
    first, second = coverages(90, 1), coverages(90, 2)
    assert np.array_equal(dealt(first, 5, seed=0, stratified=False), dealt(second, 5, seed=0, stratified=False))
    assert not np.array_equal(dealt(first, 5, seed=0), dealt(second, 5, seed=0))


def test_the_coverage_is_not_changed() -> None:
    coverage = coverages(30)
    before = coverage.copy()
    dealt(coverage, 3, seed=0)
    assert np.array_equal(coverage, before)


@KINDS
@pytest.mark.parametrize("folds_count", [-1, 0, 1, 8])
def test_invalid_numbers_of_folds_are_rejected(folds_count: int, stratified: bool) -> None:
    with pytest.raises(ValueError, match=rf"from 2 to the number of images \(7\), received {folds_count}"):
        dealt(coverages(7), folds_count, seed=0, stratified=stratified)


def test_folds_do_not_change_between_versions() -> None:
    coverage = coverages(24)
    stratified = "002011331011232332302102"
    at_random = "123001100222130321032133"
    assert "".join(map(str, dealt(coverage, 4, seed=5))) == stratified
    assert "".join(map(str, dealt(coverage, 4, seed=5, stratified=False))) == at_random


@pytest.mark.parametrize("stratified", [True, False])
@pytest.mark.parametrize(("count", "share"), [(2, 0.01), (2, 0.9), (10, 0.2), (57, 0.1), (1000, 0.25)])
def test_a_drawn_share_is_representative(count: int, share: float, stratified: bool) -> None:
    coverage = np.sort(coverages(count))
    strata = by_coverage(coverage) if stratified else NO_STRATA
    drawn = draw_part(strata, np.arange(count), share, "hold-out", 3)
    assert drawn.sum() == min(max(round(share * count), 1), count - 1)
    if stratified:
        rate = drawn.mean()
        empty = (coverage == 0).sum()
        assert abs(drawn[:empty].sum() - rate * empty) < 1
        for start in range(empty, count - 10, 10):  # any ten neighbours
            assert abs(drawn[start : start + 10].sum() - 10 * rate) < 1


def test_all_images_are_drawn_equally_often() -> None:
    coverage = coverages(20)
    times = sum(draw_part(by_coverage(coverage), np.arange(20), 0.2, "hold-out", seed) for seed in range(500))
    assert (np.abs(times - 100) < 45).all()


@pytest.mark.parametrize("strata", [NO_STRATA, by_coverage(coverages(60)), Strata(labels=coverages(60)[:, None] > 0.5)])
@pytest.mark.parametrize("grouped", [False, True])
def test_images_outside_the_hold_out_are_divided_into_folds(strata: Strata, grouped: bool) -> None:
    groups = np.arange(60) // 3 if grouped else np.arange(60)
    folds = draw_folds(FoldRules(4, seed=1, test_split=0.2), strata, groups)
    assert (folds == HOLDOUT).sum() == 12
    assert np.bincount(folds[folds >= 0]).tolist() == [12] * 4
    assert all(len(set(folds[groups == group])) == 1 for group in set(groups.tolist()))


def test_the_hold_out_depends_only_on_its_seed() -> None:
    strata, groups = by_coverage(coverages(60)), np.arange(60)

    def drawn(seed: int, folds_count: int, test_split_seed: int) -> list[int]:
        rules = FoldRules(folds_count, seed, test_split=0.2, test_split_seed=test_split_seed)
        return np.flatnonzero(draw_folds(rules, strata, groups) == HOLDOUT).tolist()

    assert drawn(0, 5, 7) == drawn(1, 3, 7) != drawn(0, 5, 8)


def test_a_single_fold_holds_out_its_share_of_images_outside_the_hold_out() -> None:
    rules = FoldRules(1, 0, validation_split=0.25, test_split=0.2)
    folds = draw_folds(rules, by_coverage(coverages(100)), np.arange(100))
    assert (folds == HOLDOUT).sum() == 20
    assert (folds == 0).sum() == 20
    assert (folds == TRAIN).sum() == 60


def test_too_many_folds_for_the_groups_are_rejected() -> None:
    with pytest.raises(ValueError, match=r"from 2 to the number of groups \(3\), received 4"):
        assign_folds(NO_STRATA, np.array([0, 1, 2, 0]), 4, seed=0)
    with pytest.raises(ValueError, match="at least two groups, received 1"):
        draw_part(NO_STRATA, np.zeros(4, np.int64), 0.5, "hold-out", 0)
