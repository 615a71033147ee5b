from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.core.sampling.epoch_sampling import (
    ALL_NEGATIVES,
    NO_NEGATIVES,
    Negatives,
    area_groups,
    in_proportion,
    select_images,
    shuffled_batches,
)


def rule(value: str | float) -> Negatives:
    words = {"none": NO_NEGATIVES, "real": ALL_NEGATIVES}
    return words[value] if isinstance(value, str) else Negatives("per_positive", value, value)


def dataset(positives: int, negatives: int) -> np.ndarray:
    """Whether images have foreground, in mixed order."""
    return np.random.default_rng(4).permutation(np.arange(positives + negatives) < positives)


def negatives_in(has_foreground: np.ndarray, selected: np.ndarray) -> Counter[int]:
    return Counter(int(position) for position in selected if not has_foreground[position])


def test_none_takes_only_positives() -> None:
    has_foreground = np.array([True, False, False, True, True])
    assert select_images(has_foreground, rule("none"), 0).tolist() == [0, 3, 4]


def test_real_takes_every_image_once() -> None:
    assert select_images(dataset(5, 8), rule("real"), 0).tolist() == list(range(13))


@pytest.mark.parametrize(
    ("ratio", "drawn"), [(0.01, 0), (0.04, 1), (0.25, 5), (0.5, 10), (1, 20), (1.5, 30), (2.0, 40)]
)
def test_a_number_gives_the_negatives_per_positive(ratio: float, drawn: int) -> None:
    has_foreground = dataset(20, 45)
    selected = select_images(has_foreground, rule(ratio), 0, 0)
    assert len(selected) == 20 + drawn
    assert len(set(selected.tolist())) == len(selected)
    assert has_foreground[selected].sum() == 20
    assert np.array_equal(selected, np.sort(selected))


@pytest.mark.parametrize("negatives", ["none", "real", 0.1, 1, 7.3])
def test_every_positive_is_taken_once_in_every_epoch(negatives: str | float) -> None:
    has_foreground = dataset(12, 9)
    for epoch in range(10):
        selected = select_images(has_foreground, rule(negatives), 0, 0, 0, epoch)
        taken = Counter(selected[has_foreground[selected]].tolist())
        assert taken == Counter(np.flatnonzero(has_foreground).tolist())


def test_negatives_differ_between_epochs() -> None:
    has_foreground = dataset(40, 160)
    epochs = [tuple(select_images(has_foreground, rule(0.5), 7, epoch).tolist()) for epoch in range(60)]
    assert len(set(epochs)) == 60
    # In the long run no negative is left out: a fixed subset would show 20 of them.
    assert set().union(*epochs) == set(range(200))


def test_epochs_are_reproducible() -> None:
    has_foreground = dataset(40, 160)
    later = select_images(has_foreground, rule(0.5), 7, 3)
    assert np.array_equal(select_images(has_foreground, rule(0.5), 7, 3), later)


@pytest.mark.parametrize("ratio", [1, 1.05, 1.5, 2, 7.25])
def test_too_few_negatives_are_repeated_evenly(ratio: float) -> None:
    has_foreground = dataset(20, 20)
    counts = negatives_in(has_foreground, select_images(has_foreground, rule(ratio), 0, 0))
    assert counts.total() == round(ratio * 20)
    assert len(counts) == 20
    assert max(counts.values()) - min(counts.values()) <= 1


@pytest.mark.parametrize("negatives", ["none", "real", 0.5, 3])
def test_without_negatives_every_rule_takes_all_images(negatives: str | float) -> None:
    assert select_images(np.ones(4, np.bool_), rule(negatives), 0).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(("negatives", "taken"), [("none", 0), (0.5, 0), ("real", 4)])
def test_without_positives_only_real_takes_images(negatives: str | float, taken: int) -> None:
    assert len(select_images(np.zeros(4, np.bool_), rule(negatives), 0)) == taken


@pytest.mark.parametrize(
    ("count", "batch"), [(1, 1), (1, 16), (16, 16), (17, 16), (33, 16), (40, 7), (100, 1), (99, 8)]
)
def test_batches_contain_every_position_once_and_are_nearly_equal(count: int, batch: int) -> None:
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


def test_the_order_differs_between_epochs_and_is_reproducible() -> None:
    positions = np.arange(50)
    orders = [np.concatenate(shuffled_batches(positions, 8, 1, epoch)).tolist() for epoch in range(20)]
    assert len(set(map(tuple, orders))) == 20
    assert np.concatenate(shuffled_batches(positions, 8, 1, 4)).tolist() == orders[4]
    assert positions.tolist() == list(range(50))


@pytest.mark.parametrize(("share", "negatives"), [(1.0, 0), (0.8, 5), (0.5, 20), (0.4, 30)])
def test_a_share_of_positives_gives_the_number_of_negatives(share: float, negatives: int) -> None:
    has_foreground = dataset(20, 45)
    selected = select_images(has_foreground, Negatives("positive_share", share, share), 0, 0)
    assert (~has_foreground[selected]).sum() == negatives
    assert has_foreground[selected].sum() == 20


def test_a_share_goes_from_the_first_epoch_to_the_last() -> None:
    has_foreground = dataset(40, 200)
    schedule = Negatives("positive_share", 0.8, 0.4)
    counts = [
        int((~has_foreground[select_images(has_foreground, schedule, 0, epoch, progress=epoch / 4)]).sum())
        for epoch in range(5)
    ]
    assert counts == [10, 17, 27, 40, 60]


def test_positives_are_drawn_equally_often_from_groups() -> None:
    has_foreground = np.ones(30, np.bool_)
    groups = np.zeros((30, 3), np.bool_)
    groups[:24, 0] = groups[24:28, 1] = groups[28:, 2] = True
    selected = select_images(has_foreground, NO_NEGATIVES, 3, groups=groups)
    taken = [int(groups[selected, group].sum()) for group in range(3)]
    assert taken == [10, 10, 10]
    # Within a group none is taken twice before all were taken.
    assert Counter(selected[selected < 24].tolist()).most_common(1)[0][1] == 1
    assert sorted(Counter(selected[selected >= 28].tolist()).values()) == [5, 5]


def test_groups_without_positives_get_nothing() -> None:
    groups = np.array([[True, False], [True, False], [True, False]])
    selected = select_images(np.array([True, True, False]), NO_NEGATIVES, 0, groups=groups)
    assert selected.tolist() == [0, 1]


def test_area_bins_contain_every_positive_once() -> None:
    coverage = np.array([0.0, 0.001, 0.01, 0.02, 0.05, 0.2, 0.9, 1.0])
    bins = area_groups(coverage)
    assert bins.sum(axis=1).tolist() == [0, 1, 1, 1, 1, 1, 1, 1]
    assert np.flatnonzero(bins[:, 0]).tolist() == [1, 2]
    assert np.flatnonzero(bins[:, -1]).tolist() == [6, 7]


def test_negatives_with_larger_weights_are_drawn_more_often() -> None:
    has_foreground = dataset(20, 100)
    empties = np.flatnonzero(~has_foreground)
    weights = np.ones(120)
    weights[empties[:10]] = 20.0
    counts = Counter()
    for epoch in range(200):
        selected = select_images(has_foreground, rule(0.5), epoch, weights=weights)
        counts.update(negatives_in(has_foreground, selected))
        assert len(selected) == 30
    heavy = np.mean([counts[int(position)] for position in empties[:10]])
    light = np.mean([counts[int(position)] for position in empties[10:]])
    assert heavy > 5 * light


def test_groups_follow_each_other_in_random_order() -> None:
    groups = np.arange(60) % 3
    orders = set()
    for epoch in range(20):
        batches = shuffled_batches(np.arange(60), 8, 0, 0, 0, epoch, groups=groups)
        found = np.concatenate(batches)
        assert sorted(found) == list(range(60))
        assert np.count_nonzero(np.diff(groups[found])) == 2
        assert not np.array_equal(found[:20], np.sort(found[:20]))
        orders.add(tuple(dict.fromkeys(groups[found].tolist())))
    assert len(orders) > 3


SHARES = np.array([0.0, 1.0, 2.0, 5.0, 0.5, 1.5, 0.0, 3.0])


@given(st.integers(0, 40), st.integers(0, 10**6))
def test_positions_are_drawn_in_proportion_to_their_shares(count: int, seed: int) -> None:
    drawn = in_proportion(np.arange(8), count, SHARES, seed)
    times = np.bincount(drawn, minlength=8)
    expected = count * SHARES / SHARES.sum()
    assert len(drawn) == count
    assert (np.diff(drawn) >= 0).all()
    assert (times >= np.floor(expected)).all()
    assert (times <= np.ceil(expected)).all()


def test_the_mean_over_epochs_is_the_share() -> None:
    epochs = [np.bincount(in_proportion(np.arange(8), 5, SHARES, 0, epoch), minlength=8) for epoch in range(4000)]
    np.testing.assert_allclose(np.mean(epochs, axis=0), 5 * SHARES / SHARES.sum(), atol=0.04)


@pytest.mark.parametrize("rule", [ALL_NEGATIVES, NO_NEGATIVES, Negatives("per_positive", 0.5, 0.5)])
def test_shares_keep_the_numbers_of_positives_and_negatives(rule: Negatives) -> None:
    positive = np.array([True, True, True, True, False, False, False, False])
    drawn = select_images(positive, rule, 3, shares=SHARES)
    np.testing.assert_array_equal(drawn, select_images(positive, rule, 3, shares=SHARES))
    assert not {0, 6} & set(drawn.tolist())
    if rule.kind == "real":
        assert len(drawn) == 8
        assert (drawn == 3).sum() in (3, 4)  # 8 · 5 / 13
    else:
        assert positive[drawn].sum() == 4
        assert (~positive[drawn]).sum() == (2 if rule.kind == "per_positive" else 0)
    assert not np.array_equal(
        np.concatenate([select_images(positive, rule, 3, epoch, shares=SHARES) for epoch in range(9)]),
        np.tile(drawn, 9),
    )


def test_shares_apply_inside_groups_and_multiply_the_weights_of_negatives() -> None:
    positive = np.array([True] * 4 + [False] * 4)
    groups = np.zeros((8, 2), bool)
    groups[[0, 1], 0] = groups[[2, 3], 1] = True
    drawn = select_images(positive, NO_NEGATIVES, 1, groups=groups, shares=SHARES)
    assert drawn[drawn < 2].tolist() == [1, 1]
    assert len(drawn) == 4
    hard = np.array([1, 1, 1, 1, 1, 1, 9.0, 0.001])
    one_each = Negatives("per_positive", 1, 1)
    empties = [select_images(positive, one_each, seed, shares=SHARES, weights=hard)[4:] for seed in range(50)]
    assert np.bincount(np.concatenate(empties), minlength=8)[5] == pytest.approx(150, abs=5)
