import numpy as np
import pytest

from toolkit.core.masks.labels import IGNORE
from toolkit.core.sampling.pseudo_labels import LabelRule, added_samples, draw_evenly

LEVELS = np.array([[[0], [100], [150], [255]]], np.uint8)


def test_pixels_between_the_thresholds_are_ignored() -> None:
    rule = LabelRule("sigmoid", ((0.3, 0.7),), soft=False)
    assert rule.labels(LEVELS).tolist() == [[0, IGNORE, IGNORE, 1]]
    assert LabelRule("sigmoid", ((0.5, 0.5),), soft=False).labels(LEVELS).tolist() == [[0, 0, 1, 1]]


def test_each_class_has_its_thresholds() -> None:
    levels = np.array([[[255, 150], [0, 150], [0, 255]]], np.uint8)
    rule = LabelRule("sigmoid", ((0.5, 0.5), (0.4, 0.9)), soft=False)
    assert rule.labels(levels).tolist() == [[IGNORE, IGNORE, 2]]


def test_an_exclusive_class_is_certain_if_it_is_and_the_others_are_not() -> None:
    levels = np.array([[[0, 255, 0], [200, 55, 0], [100, 90, 65], [40, 20, 195]]], np.uint8)
    rule = LabelRule("softmax", ((0.3, 0.7),) * 3, soft=False)
    assert rule.labels(levels).tolist() == [[1, 0, IGNORE, 2]]


def test_soft_targets_are_the_probabilities() -> None:
    rule = LabelRule("sigmoid", None, soft=True)
    targets = rule.targets([rule.plane(LEVELS, 0)])
    assert targets.dtype == np.float32
    assert targets[..., 0].tolist() == [pytest.approx([0, 100 / 255, 150 / 255, 1], abs=1 / 254)]


def test_soft_targets_of_exclusive_classes_add_up_to_one_also_outside_of_the_image() -> None:
    levels = np.array([[[85, 85, 85], [0, 0, 255]]], np.uint8)
    rule = LabelRule("softmax", None, soft=True)
    planes = [np.pad(rule.plane(levels, number), ((0, 0), (0, 1))) for number in range(3)]
    targets = rule.targets(planes)
    assert targets.sum(axis=-1) == pytest.approx(np.ones((1, 3)))
    assert targets[0, 2].tolist() == [1, 0, 0]


def test_ignored_pixels_stay_so_in_soft_targets() -> None:
    rule = LabelRule("sigmoid", ((0.3, 0.7),), soft=True)
    assert (rule.targets([rule.plane(LEVELS, 0)]) == IGNORE).ravel().tolist() == [False, True, True, False]


def test_weights_are_one_more_plane_only_where_they_differ() -> None:
    planes = np.ones((2, 3, 1), np.uint8)
    plain = LabelRule("sigmoid", ((0.5, 0.5),), soft=False)
    assert plain.with_weights(planes, pseudo=True) is planes
    weighted = LabelRule("sigmoid", None, soft=True, weight=0.25)
    for pseudo, weight in ((True, 0.25), (False, 1.0)):
        found = weighted.with_weights(planes, pseudo=pseudo)
        assert found.shape == (2, 3, 2)
        assert np.unique(found[..., 1]).tolist() == [weight]


@pytest.mark.parametrize(
    ("own", "share", "added"), [(100, 0.5, 100), (100, 0.2, 25), (10, 0.75, 30), (0, 0.5, 0), (10, 0.01, 1)]
)
def test_the_added_samples_are_a_share_of_all(own: int, share: float, added: int) -> None:
    assert added_samples(own, share) == added


def test_each_image_is_drawn_equally_often_within_one_and_by_its_numbers_alone() -> None:
    positions = np.array([3, 5, 8])
    drawn = draw_evenly(positions, 7, 0, 1, 2, 3)
    assert sorted(np.unique(drawn, return_counts=True)[1].tolist()) == [2, 2, 3]
    assert drawn.tolist() == draw_evenly(positions, 7, 0, 1, 2, 3).tolist()
    others = {tuple(draw_evenly(positions, 7, 0, 1, 2, epoch).tolist()) for epoch in range(12)}
    assert len(others) == 3
    assert draw_evenly(positions[:0], 7, 0).tolist() == []
