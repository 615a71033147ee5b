"""Covers toolkit/core/metrics/stacks.py and measuring.py."""

import math

import numpy as np
import pytest
from scipy.spatial.distance import directed_hausdorff

from toolkit.core.metrics.measuring import Measuring
from toolkit.core.metrics.metric import Case, case_of
from toolkit.core.metrics.registry import MetricSpec, ScoringRules, build_metrics
from toolkit.core.metrics.stacks import DiceHausdorff, hausdorff
from toolkit.errors import DataError

RULES = ScoringRules(stack=r"(.+)_slice_\d+")


def metric(classes: int = 1, rules: ScoringRules = RULES) -> DiceHausdorff:
    (built,) = build_metrics([MetricSpec("dice_hausdorff")], classes, "sigmoid", rules=rules)
    assert isinstance(built, DiceHausdorff)
    return built


def volume(seed: int, density: float = 0.1) -> np.ndarray:
    return np.random.default_rng(seed).random((4, 9, 11)) < density


def slices(prediction: np.ndarray, truth: np.ndarray) -> list[Case]:
    """Cases of one class."""
    return [
        case_of(one[..., None], other.astype(np.uint8), "sigmoid") for one, other in zip(prediction, truth, strict=True)
    ]


def statistics(of: DiceHausdorff, stacks: dict[str, list[Case]]) -> np.ndarray:
    measuring = Measuring(of)
    for name, cases in stacks.items():
        for number, case in enumerate(cases):
            measuring.add(case, f"{name}_slice_{number:04d}")
    return measuring.statistics()


@pytest.mark.parametrize("seed", range(8))
def test_the_distance_is_that_of_all_voxels(seed: int) -> None:
    one, other = volume(seed, 0.02 + 0.1 * (seed % 3)), volume(seed + 100)
    places = [np.argwhere(each) / np.array(each.shape) for each in (one, other)]
    expected = max(directed_hausdorff(*places)[0], directed_hausdorff(*places[::-1])[0]) / math.sqrt(3)
    assert hausdorff(one, other) == pytest.approx(expected)
    assert hausdorff(other, one) == hausdorff(one, other)


def test_distances_of_empty_and_equal_volumes() -> None:
    empty, full = np.zeros((3, 4, 5), np.bool_), np.ones((3, 4, 5), np.bool_)
    assert math.isnan(hausdorff(empty, empty))
    assert hausdorff(empty, full) == hausdorff(full, empty) == 1
    assert hausdorff(full, full) == 0


def test_the_middle_of_a_ring_is_far_from_it() -> None:
    disc = np.zeros((1, 9, 9), np.bool_)
    disc[0, 1:8, 1:8] = True
    ring = disc.copy()
    ring[0, 2:7, 2:7] = False
    assert hausdorff(disc, ring) == pytest.approx(3 / 9 / math.sqrt(3))


def test_a_score_by_hand() -> None:
    """Two stacks of two slices; the second is predicted rightly, but for a slice that is empty in both."""
    truth, prediction = np.zeros((2, 2, 4, 4), np.bool_), np.zeros((2, 2, 4, 4), np.bool_)
    truth[0, 0, 0, 0] = truth[0, 1, 0, 0] = True
    prediction[0, 0, 0, 0] = prediction[0, 0, 0, 2] = True
    truth[1, 0, 1], prediction[1, 0, 1] = True, True
    stacks = {name: slices(prediction[number], truth[number]) for number, name in enumerate("ab")}
    found = statistics(metric(), stacks)
    dice = (2 / 3 + 0 + 1) / 3
    distance = (0.5 / math.sqrt(3) + 0) / 2  # two of four columns; half of two slices
    assert metric().score(found) == pytest.approx(0.4 * dice + 0.6 * (1 - distance))
    assert metric().per_class(found) == pytest.approx([metric().score(found)])
    assert math.isnan(metric().per_image(found)[3])


def test_classes_are_united_for_the_distance_and_apart_for_dice() -> None:
    """Written out: Dice of each pair that is not empty twice; one volume for each stack."""
    random = np.random.default_rng(0)
    truth, prediction = (random.random((3, 4, 9, 11, 2)) < random.choice([0, 0.1], (3, 4, 1, 1, 2)) for _ in range(2))
    truth[2] = prediction[2] = False
    stacks = {
        str(number): [
            case_of(mask, (labels @ np.array([1, 2])).astype(np.uint8), "sigmoid")
            for mask, labels in zip(prediction[number], truth[number], strict=True)
        ]
        for number in range(3)
    }
    both, total = (prediction & truth).sum(axis=(2, 3)), prediction.sum(axis=(2, 3)) + truth.sum(axis=(2, 3))
    dice = (2 * both[total > 0] / total[total > 0]).mean()
    distances = []
    for volumes in ((prediction[number].any(axis=-1), truth[number].any(axis=-1)) for number in range(2)):
        places = [np.argwhere(one) / np.array(one.shape) for one in volumes]
        distances.append(max(directed_hausdorff(*places)[0], directed_hausdorff(*places[::-1])[0]) / math.sqrt(3))
    found = statistics(metric(2), stacks)
    assert metric(2).score(found) == pytest.approx(0.4 * dice + 0.6 * (1 - np.mean(distances)))
    near = 0.6 * (1 - np.mean(distances))
    by_class = [(2 * both[..., n][total[..., n] > 0] / total[..., n][total[..., n] > 0]).mean() for n in range(2)]
    assert metric(2).per_class(found) == pytest.approx([0.4 * one + near for one in by_class])


def test_the_score_of_drawn_stacks_is_that_of_the_repeated_stacks() -> None:
    stacks = {name: slices(volume(number), volume(number + 50)) for number, name in enumerate("abc")}
    found = statistics(metric(), stacks)
    counts = np.repeat([[2, 0, 1], [1, 1, 1]], 4, axis=1).astype(np.float64)
    repeated = np.concatenate([found[:4], found[:4], found[8:]])
    assert metric().of_draws(found, counts) == pytest.approx([metric().score(repeated), metric().score(found)])


def test_without_ids_or_a_pattern_each_image_is_a_stack() -> None:
    cases = slices(volume(0), volume(1))
    alone = np.stack([metric().measure(case) for case in cases])
    without = Measuring(metric())
    for case in cases:
        without.add(case)
    assert np.array_equal(without.statistics(), alone)
    assert np.array_equal(statistics(metric(rules=ScoringRules()), {"a": cases}), alone)
    assert metric().score(alone) != metric().score(statistics(metric(), {"a": cases}))


def test_only_submitted_classes_count_and_slices_have_one_size() -> None:
    truth = np.stack([volume(0), volume(1)], axis=-1)
    prediction = np.stack([volume(2), volume(3)], axis=-1)
    labels = (truth @ np.array([1, 2])).astype(np.uint8)
    cases = [case_of(one, other, "sigmoid") for one, other in zip(prediction, labels, strict=True)]
    second = metric(2, ScoringRules(submitted=(1,), stack=RULES.stack))
    alone = statistics(metric(), {"a": slices(prediction[..., 1], truth[..., 1])})
    assert second.score(statistics(second, {"a": cases})) == pytest.approx(metric().score(alone))
    other = case_of(np.zeros((3, 3, 2), np.bool_), np.zeros((3, 3), np.uint8), "sigmoid")
    measuring = Measuring(metric(2))
    measuring.add(cases[0], "a_slice_0")
    with pytest.raises(DataError, match="the stack a differ in size: 9×11, but a_slice_1 is 3×3"):
        measuring.add(other, "a_slice_1")


def test_a_stack_whose_slices_do_not_follow_each_other_is_an_error() -> None:
    (case,) = slices(volume(0)[:1], volume(1)[:1])
    measuring = Measuring(metric())
    for image_id in ("a_slice_0", "b_slice_0"):
        measuring.add(case, image_id)
    with pytest.raises(DataError, match="the slices of the stack a do not follow each other"):
        measuring.add(case, "a_slice_1")
