import numpy as np
import pytest

from toolkit.core.folds import assign_folds

KINDS = pytest.mark.parametrize("stratified", [True, False], ids=["stratified", "random"])
COUNTS = pytest.mark.parametrize(("count", "folds_count"), [(2, 2), (7, 2), (20, 3), (100, 5), (101, 10), (13, 13)])


def coverages(count: int, seed: int = 0) -> np.ndarray:
    """About two of five images without foreground."""
    random = np.random.default_rng(seed)
    return np.where(random.random(count) < 0.4, 0.0, random.random(count))


@KINDS
@COUNTS
def test_every_image_is_held_out_once_and_fold_sizes_differ_by_one_at_most(
    count: int, folds_count: int, stratified: bool
) -> None:
    folds = assign_folds(coverages(count), folds_count, seed=1, stratified=stratified)
    sizes = np.bincount(folds, minlength=folds_count)
    assert folds.shape == (count,)
    assert folds.dtype == np.int64
    assert len(sizes) == folds_count
    assert sizes.max() - sizes.min() <= 1


@COUNTS
@pytest.mark.parametrize("seed", range(5))
def test_empty_images_are_spread_evenly(count: int, folds_count: int, seed: int) -> None:
    coverage = coverages(count, seed)
    folds = assign_folds(coverage, folds_count, seed=seed)
    empties = np.bincount(folds[coverage == 0], minlength=folds_count)
    assert empties.max() - empties.min() <= 1


@pytest.mark.parametrize("seed", range(10))
def test_total_coverage_of_two_folds_differs_by_less_than_one_full_mask(seed: int) -> None:
    coverage = coverages(200, seed)
    sums = np.bincount(assign_folds(coverage, 5, seed=seed), weights=coverage)
    assert sums.max() - sums.min() <= coverage.max()


def test_large_and_small_masks_are_in_every_fold() -> None:
    coverage = np.linspace(0.01, 1, 50)
    folds = assign_folds(coverage, 5, seed=0)
    for tenth in np.split(folds, 10):
        assert sorted(tenth) == [0, 1, 2, 3, 4]


def test_which_fold_gets_the_larger_mask_is_drawn() -> None:
    folds = assign_folds(np.linspace(0.01, 1, 200), 2, seed=0)
    assert 30 < folds[::2].sum() < 70


@KINDS
def test_neighbours_of_equal_coverage_are_held_out_together_as_often_as_others(stratified: bool) -> None:
    empty = np.zeros(40)
    together = sum(
        folds[0] == folds[1]
        for folds in (assign_folds(empty, 4, seed=seed, stratified=stratified) for seed in range(200))
    )
    # 9 of the 39 others are in the same fold; dealing in the order of the images would give none.
    assert 25 < together < 70


@KINDS
def test_the_same_images_and_seed_give_the_same_folds(stratified: bool) -> None:
    coverage = coverages(90)
    first = assign_folds(coverage, 5, seed=3, stratified=stratified)
    np.random.default_rng(0).random(10)
    assert np.array_equal(assign_folds(coverage.copy(), 5, seed=3, stratified=stratified), first)


@KINDS
def test_another_seed_gives_other_folds(stratified: bool) -> None:
    coverage = coverages(90)
    drawn = {tuple(assign_folds(coverage, 5, seed=seed, stratified=stratified)) for seed in range(20)}
    assert len(drawn) == 20


def test_only_stratified_folds_look_at_the_coverage() -> None:
    first, second = coverages(90, 1), coverages(90, 2)
    assert np.array_equal(
        assign_folds(first, 5, seed=0, stratified=False), assign_folds(second, 5, seed=0, stratified=False)
    )
    assert not np.array_equal(assign_folds(first, 5, seed=0), assign_folds(second, 5, seed=0))


def test_the_coverage_is_left_as_it_was() -> None:
    coverage = coverages(30)
    before = coverage.copy()
    assign_folds(coverage, 3, seed=0)
    assert np.array_equal(coverage, before)


@KINDS
@pytest.mark.parametrize("folds_count", [-1, 0, 1, 8])
def test_an_impossible_number_of_folds_is_refused(folds_count: int, stratified: bool) -> None:
    with pytest.raises(ValueError, match=rf"from 2 to the number of images \(7\), received {folds_count}"):
        assign_folds(coverages(7), folds_count, seed=0, stratified=stratified)
