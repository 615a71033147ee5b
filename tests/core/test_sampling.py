from collections import Counter

import numpy as np
import pytest

from toolkit.core.sampling import select_images, shuffled_batches


def dataset(positives: int, negatives: int) -> np.ndarray:
    """Which images have foreground, mixed."""
    return np.random.default_rng(4).permutation(np.arange(positives + negatives) < positives)


def negatives_in(has_foreground: np.ndarray, selected: np.ndarray) -> Counter[int]:
    return Counter(int(position) for position in selected if not has_foreground[position])


def test_none_takes_the_positives_only() -> None:
    has_foreground = np.array([True, False, False, True, True])
    assert select_images(has_foreground, "none", 0).tolist() == [0, 3, 4]


def test_real_takes_every_image_once() -> None:
    assert select_images(dataset(5, 8), "real", 0).tolist() == list(range(13))


@pytest.mark.parametrize(
    ("ratio", "drawn"), [(0.01, 0), (0.04, 1), (0.25, 5), (0.5, 10), (1, 20), (1.5, 30), (2.0, 40)]
)
def test_a_number_takes_so_many_negatives_per_positive(ratio: float, drawn: int) -> None:
    has_foreground = dataset(20, 45)
    selected = select_images(has_foreground, ratio, 0, 0)
    assert len(selected) == 20 + drawn
    assert len(set(selected.tolist())) == len(selected)
    assert has_foreground[selected].sum() == 20
    assert np.array_equal(selected, np.sort(selected))


@pytest.mark.parametrize("negatives", ["none", "real", 0.1, 1, 7.3])
def test_every_positive_is_taken_once_in_every_epoch(negatives: str | float) -> None:
    has_foreground = dataset(12, 9)
    for epoch in range(10):
        selected = select_images(has_foreground, negatives, 0, 0, 0, epoch)
        taken = Counter(selected[has_foreground[selected]].tolist())
        assert taken == Counter(np.flatnonzero(has_foreground).tolist())


def test_negatives_are_drawn_anew_every_epoch() -> None:
    has_foreground = dataset(40, 160)
    epochs = [tuple(select_images(has_foreground, 0.5, 7, epoch).tolist()) for epoch in range(60)]
    assert len(set(epochs)) == 60
    # In the long run no negative is left out: a fixed subset would show 20 of them.
    assert set().union(*epochs) == set(range(200))


def test_an_epoch_is_drawn_the_same_in_every_run() -> None:
    has_foreground = dataset(40, 160)
    later = select_images(has_foreground, 0.5, 7, 3)
    assert np.array_equal(select_images(has_foreground, 0.5, 7, 3), later)


@pytest.mark.parametrize("ratio", [1, 1.05, 1.5, 2, 7.25])
def test_more_negatives_than_there_are_repeat_evenly(ratio: float) -> None:
    has_foreground = dataset(20, 20)
    counts = negatives_in(has_foreground, select_images(has_foreground, ratio, 0, 0))
    assert counts.total() == round(ratio * 20)
    assert len(counts) == 20
    assert max(counts.values()) - min(counts.values()) <= 1


@pytest.mark.parametrize("negatives", ["none", "real", 0.5, 3])
def test_without_negatives_every_rule_takes_all(negatives: str | float) -> None:
    assert select_images(np.ones(4, np.bool_), negatives, 0).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(("negatives", "taken"), [("none", 0), (0.5, 0), ("real", 4)])
def test_without_positives_only_real_takes_any(negatives: str | float, taken: int) -> None:
    assert len(select_images(np.zeros(4, np.bool_), negatives, 0)) == taken


@pytest.mark.parametrize(
    ("count", "batch"), [(1, 1), (1, 16), (16, 16), (17, 16), (33, 16), (40, 7), (100, 1), (99, 8)]
)
def test_batches_hold_every_position_once_and_are_nearly_equal(count: int, batch: int) -> None:
    positions = np.arange(count) * 3
    batches = shuffled_batches(positions, batch, 0, 0)
    sizes = [len(part) for part in batches]
    assert sorted(np.concatenate(batches).tolist()) == positions.tolist()
    assert max(sizes) <= batch
    assert max(sizes) - min(sizes) <= 1
    # As few as possible.
    assert (len(batches) - 1) * batch < count


def test_repeated_positions_stay_repeated() -> None:
    positions = np.array([0, 1, 1, 1, 2])
    assert sorted(np.concatenate(shuffled_batches(positions, 2, 0)).tolist()) == [0, 1, 1, 1, 2]


def test_the_order_is_drawn_anew_every_epoch_and_the_same_in_every_run() -> None:
    positions = np.arange(50)
    orders = [np.concatenate(shuffled_batches(positions, 8, 1, epoch)).tolist() for epoch in range(20)]
    assert len(set(map(tuple, orders))) == 20
    assert np.concatenate(shuffled_batches(positions, 8, 1, 4)).tolist() == orders[4]
    assert positions.tolist() == list(range(50))
