from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from toolkit.core.images.windows import Window
from toolkit.core.masks.labels import IGNORE, Activation, has_foreground
from toolkit.core.sampling.patches import (
    HardPlaces,
    LabelCounts,
    Occupancy,
    PatchRule,
    cell_of,
    count_labels,
    draw_patches,
    edges_of,
    group_images,
)

WINDOW = (16, 24)
CELL = 2


def occupancy(labels: np.ndarray, classes: int = 1, activation: Activation = "sigmoid", cell: int = CELL) -> Occupancy:
    rows, columns = (edges_of(length, cell) for length in labels.shape)
    counts = np.stack([count_labels(labels[top : top + cell], columns) for top in rows[:-1]])
    found = LabelCounts(counts, classes, activation)
    first = 1 if activation == "softmax" else 0
    return Occupancy(labels.shape, cell, found.pixels[..., first:] > 0, found.foreground > 0)


def spots(size: tuple[int, int], count: int, labels: int = 1) -> np.ndarray:
    random = np.random.default_rng(size)
    found = np.zeros(size, np.uint8)
    found[random.integers(0, size[0], count), random.integers(0, size[1], count)] = random.integers(
        1, labels + 1, count
    )
    return found


def seen(labels: np.ndarray, window: Window) -> np.ndarray:
    inner = window.inside(labels.shape)
    return labels[inner.top : inner.bottom, inner.left : inner.right]


MASKS = [spots((60, 90), 5), spots((40, 40), 1), np.zeros((50, 80), np.uint8), spots((10, 200), 3)]
MASKS[0][-1, -1] = 1  # the very corner
MASKS[2][:, :10] = IGNORE


@pytest.mark.parametrize("cell", [1, 3, 7, 200])
def test_cells_count_labels_like_brute_force(cell: int) -> None:
    labels = np.random.default_rng(0).choice(np.array([0, 1, 2, 3, IGNORE], np.uint8), (20, 33))
    rows, columns = edges_of(20, cell), edges_of(33, cell)
    counts = np.stack([count_labels(labels[top:end], columns) for top, end in pairwise(rows)])
    found = LabelCounts(counts, 2, "sigmoid")
    for row, (top, end) in enumerate(pairwise(rows)):
        for column, (left, right) in enumerate(pairwise(columns)):
            part = labels[top:end, left:right]
            one, other = part[(part & 1 > 0) & (part != IGNORE)], part[(part & 2 > 0) & (part != IGNORE)]
            assert found.pixels[row, column].tolist() == [one.size, other.size]
            assert found.foreground[row, column] == ((part > 0) & (part != IGNORE)).sum()
            counted = max(1, (part != IGNORE).sum())
            assert found.coverage[row, column] == found.foreground[row, column] / counted


def test_positive_patches_contain_foreground_and_negative_patches_do_not() -> None:
    drawn = draw_patches([occupancy(mask) for mask in MASKS], PatchRule(WINDOW, 400, 0.75), 0, 1)
    assert len(drawn) == 400
    found = [has_foreground(seen(MASKS[place], window)) for place, window in drawn]
    assert found == [True] * 300 + [False] * 100
    assert all(window.size == WINDOW for _, window in drawn)


def test_images_are_drawn_equally_often() -> None:
    drawn = draw_patches([occupancy(mask) for mask in MASKS], PatchRule(WINDOW, 130, 0.5), 0, 1)
    positives = Counter(place for place, _ in drawn[:65])
    negatives = Counter(place for place, _ in drawn[65:])
    assert sorted(positives) == [0, 1, 3]
    assert {positives[place] for place in positives} <= {21, 22}
    assert max(negatives.values()) - min(negatives.values()) <= 1
    assert 2 in negatives


def test_patches_lie_inside_and_small_images_are_centred() -> None:
    for share in (0.5, None):
        for place, window in draw_patches([occupancy(mask) for mask in MASKS], PatchRule(WINDOW, 200, share), 3):
            for start, length, side in zip((window.top, window.left), MASKS[place].shape, WINDOW, strict=True):
                if length <= side:
                    assert start == -((side - length) // 2)
                else:
                    assert 0 <= start <= length - side


def test_patches_cover_every_place() -> None:
    mask = np.zeros((48, 48), np.uint8)
    mask[20:24, 20:24] = 1
    images = [occupancy(mask)]
    for share in (0.0, None):
        reached = np.zeros(mask.shape, bool)
        for _, window in draw_patches(images, PatchRule((8, 8), 3000, share), 1):
            seen(reached, window)[:] = True
        far = np.ones(mask.shape, bool)
        far[18:26, 18:26] = share is None
        assert reached[4:-4, 4:-4][far[4:-4, 4:-4]].all()  # corners are in few windows
    starts = {(window.top, window.left) for _, window in draw_patches(images, PatchRule((8, 8), 3000, 0.0), 1)}
    assert {top % CELL for top, _ in starts} == {0, 1}  # not only where cells begin


def test_windows_around_foreground_are_equally_likely() -> None:
    mask = np.zeros((40, 40), np.uint8)
    mask[20, 20] = 1
    drawn = draw_patches([occupancy(mask)], PatchRule((8, 8), 8000, 1.0), 1)
    tops = Counter(window.top for _, window in drawn)
    assert sorted(tops) == list(range(14, 21))  # those that show the whole cell
    assert min(tops.values()) > 0.8 * max(tops.values())


def test_patches_are_reproducible_and_differ_between_epochs() -> None:
    images = [occupancy(mask) for mask in MASKS]
    first = draw_patches(images, PatchRule(WINDOW, 50, 0.5), 0, 1, 2, 3)
    assert first == draw_patches(images, PatchRule(WINDOW, 50, 0.5), 0, 1, 2, 3)
    assert first != draw_patches(images, PatchRule(WINDOW, 50, 0.5), 0, 1, 2, 4)


def test_without_foreground_or_background_all_patches_are_of_one_kind() -> None:
    full, empty = occupancy(np.ones((30, 30), np.uint8)), occupancy(np.zeros((30, 30), np.uint8))
    assert len(draw_patches([full], PatchRule(WINDOW, 9, 0.5), 0)) == 9
    assert len(draw_patches([empty], PatchRule(WINDOW, 9, 0.5), 0)) == 9
    drawn = draw_patches([full, empty], PatchRule(WINDOW, 10, 0.3), 0)
    assert [place for place, _ in drawn] == [0] * 3 + [1] * 7


def test_rare_classes_are_drawn_as_often_as_frequent_ones() -> None:
    mask = np.zeros((64, 64), np.uint8)
    mask[:40] = 1
    mask[60, 60] = 2
    others = np.zeros((64, 64), np.uint8)
    others[:, :30] = 1
    masks = [mask, others, others]
    images = [occupancy(one, 3, "softmax") for one in masks]

    def with_rare(rule: PatchRule) -> int:
        return sum((seen(masks[place], window) == 2).any() for place, window in draw_patches(images, rule, 5))

    assert with_rare(PatchRule((8, 8), 300, 1.0)) == pytest.approx(50, abs=25)  # a half of a third
    groups = np.array([[True, True], [True, False], [True, False]])
    assert with_rare(PatchRule((8, 8), 300, 1.0, groups, by_class=True)) == 150


def test_images_of_rare_groups_are_drawn_as_often() -> None:
    images = [occupancy(spots((40, 40), 4)) for _ in range(4)]
    groups = np.array([[True, False]] * 3 + [[False, True]])
    places = Counter(place for place, _ in draw_patches(images, PatchRule(WINDOW, 60, 1.0, groups), 0))
    assert places == {0: 10, 1: 10, 2: 10, 3: 30}


def test_images_are_drawn_in_proportion_to_their_shares() -> None:
    images = [occupancy(spots((40, 90), 4)) for _ in range(4)]
    shares = np.array([1.0, 3.0, 0.0, 4.0])
    for share in (1.0, 0.5, 0.0, None):
        drawn = draw_patches(images, PatchRule(WINDOW, 160, share, shares=shares), 0)
        places = Counter(place for place, _ in drawn)
        assert len(drawn) == 160
        assert sorted(places) == [0, 1, 3]
        assert all(abs(places[place] - 20 * shares[place]) <= 2 for place in places)


def test_hard_places_are_drawn_more_often() -> None:
    images = [occupancy(np.zeros((32, 32), np.uint8)), occupancy(np.zeros((32, 32), np.uint8))]
    false = [np.zeros((16, 16), np.int64), np.zeros((16, 16), np.int64)]
    false[0][8, 8] = 7

    def with_false(hardness: float) -> float:
        rule = PatchRule((8, 8), 1000, 0.0, hard=HardPlaces(false, hardness))
        drawn = draw_patches(images, rule, 2)
        return sum(place == 0 and 9 <= window.top <= 17 and 9 <= window.left <= 17 for place, window in drawn) / 1000

    assert with_false(0.0) < 0.1
    assert with_false(50.0) > 0.5


def test_cells_are_an_eighth_of_the_shortest_side() -> None:
    assert cell_of([(256, 512), (128, 128)]) == 16
    assert cell_of([(4, 4)]) == 1
    assert edges_of(10, 4) == [0, 4, 8, 10]


def test_groups_of_images_fit_in_memory() -> None:
    sizes = [30 << 20] * 50 + [1 << 20] * 50
    groups = group_images(sizes, 0, 1)
    assert group_images([101 * 101] * 3000, 0).max() == 0
    assert np.array_equal(groups, group_images(sizes, 0, 1))
    assert not np.array_equal(groups, group_images(sizes, 0, 2))
    members = [np.flatnonzero(groups == group) for group in range(groups.max() + 1)]
    assert len(members) > 5
    for group in members[:-1]:
        assert len(group) >= 8
        assert len(group) == 8 or sum(sizes[place] for place in group) <= 128 << 20
