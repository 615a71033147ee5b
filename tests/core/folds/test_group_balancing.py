import itertools

import numpy as np
import pytest

from toolkit.core.folds.group_balancing import balance


def equal(parts: int) -> np.ndarray:
    return np.full(parts, 1 / parts)


def cost(labels: np.ndarray, groups: np.ndarray, shares: np.ndarray, parts: np.ndarray) -> float:
    """The cost as documented in `balance`."""
    counted = np.concatenate([np.ones((len(labels), 1)), labels], axis=1)
    counted = counted[:, counted.any(axis=0)]
    weights = np.ones(counted.shape[1])
    weights[0] = max(1, counted.shape[1] - 1)
    expected = shares[:, None] * counted.sum(axis=0)
    found = np.stack([counted[parts[groups] == part].sum(axis=0) for part in range(len(shares))])
    return float((weights * (found - expected) ** 2 / expected).sum())


def example(seed: int, images: int, groups: int, labels: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels of images, and non-empty groups of uneven sizes."""
    random = np.random.default_rng(seed)
    sizes = np.concatenate([np.arange(groups), (groups * random.random(images - groups) ** 2).astype(int)])
    return random.random((images, labels)) < 0.3, random.permutation(sizes)


@pytest.mark.parametrize("seed", range(8))
def test_no_move_or_exchange_of_groups_lowers_the_cost(seed: int) -> None:
    labels, groups = example(seed, 60, 14, 3)
    shares = np.array([0.5, 0.25, 0.25])
    parts = balance(labels, groups, shares, np.random.default_rng(seed))
    reached = cost(labels, groups, shares, parts)
    for group, part in itertools.product(range(14), range(3)):
        moved = parts.copy()
        moved[group] = part
        if len(set(moved)) == 3:
            assert cost(labels, groups, shares, moved) >= reached - 1e-6
    for one, other in itertools.combinations(range(14), 2):
        exchanged = parts.copy()
        exchanged[[one, other]] = parts[[other, one]]
        assert cost(labels, groups, shares, exchanged) >= reached - 1e-6


def test_small_divisions_are_optimal() -> None:
    for seed in range(5):
        labels, groups = example(seed, 30, 6, 2)
        divisions = (np.array(parts) for parts in itertools.product(range(3), repeat=6) if len(set(parts)) == 3)
        best = min(cost(labels, groups, equal(3), parts) for parts in divisions)
        found = balance(labels, groups, equal(3), np.random.default_rng(0))
        assert cost(labels, groups, equal(3), found) == pytest.approx(best)


@pytest.mark.parametrize("parts", [2, 3, 5])
def test_groups_of_equal_size_give_parts_of_equal_size(parts: int) -> None:
    groups = np.repeat(np.arange(30), 4)
    found = balance(np.zeros((120, 0), np.bool_), groups, equal(parts), np.random.default_rng(1))
    assert np.bincount(found).tolist() == [30 // parts] * parts


def test_every_part_has_a_group_despite_a_huge_one() -> None:
    groups = np.concatenate([np.zeros(100, np.int64), [1, 2, 3]])
    for shares in (equal(4), np.array([0.05, 0.9, 0.05]), np.array([0.001, 0.999])):
        found = balance(np.zeros((103, 0), np.bool_), groups, shares, np.random.default_rng(0))
        assert set(found) == set(range(len(shares)))


def test_labels_and_sizes_are_balanced_together() -> None:
    labels, groups = example(3, 1000, 150, 6)
    parts = balance(labels, groups, equal(5), np.random.default_rng(0))[groups]
    assert np.ptp(np.bincount(parts)) <= 4
    counts = np.stack([labels[parts == part].sum(axis=0) for part in range(5)])
    assert np.ptp(counts, axis=0).max() <= 8


def test_divisions_are_reproducible_and_depend_on_the_seed() -> None:
    labels, groups = example(0, 80, 25, 2)
    drawn = [tuple(balance(labels, groups, equal(4), np.random.default_rng(seed))) for seed in (5, 5, 6, 7)]
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) == 3


def test_the_order_of_images_does_not_matter() -> None:
    labels, groups = example(0, 80, 25, 2)
    order = np.random.default_rng(1).permutation(80)
    straight = balance(labels, groups, equal(4), np.random.default_rng(0))
    assert (balance(labels[order], groups[order], equal(4), np.random.default_rng(0)) == straight).all()
