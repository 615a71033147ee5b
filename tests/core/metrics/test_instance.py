from fractions import Fraction

import numpy as np
import pytest

from toolkit.core.masks.labels import IGNORE
from toolkit.core.masks.objects import components
from toolkit.core.metrics.instance import matches
from toolkit.core.metrics.metric import Metric, case_of
from toolkit.core.metrics.registry import MetricSpec, build_metric

THRESHOLDS = [Fraction(k, 20) for k in range(10, 20)]


def metric_of(name: str, classes: int = 1, **arguments: object) -> Metric:
    return build_metric(MetricSpec(name, tuple(arguments.items())), classes, "sigmoid")


def score(metric: Metric, prediction: np.ndarray, labels: np.ndarray, objects: np.ndarray | None = None) -> float:
    """The score of one image of one class."""
    case = case_of(prediction[..., None], labels.astype(np.uint8), "sigmoid", objects)
    return metric.score(metric.measure(case)[None])


def random_objects(random: np.random.Generator, size: tuple[int, int] = (24, 31)) -> np.ndarray:
    """Rectangles that may touch and lie over each other, numbered with gaps."""
    objects = np.zeros(size, np.int32)
    for number in range(1, random.integers(1, 9)):
        top, left = (random.integers(0, side - 3) for side in size)
        height, width = random.integers(2, 12, 2)
        objects[top : top + height, left : left + width] = 3 * number
    return objects


def disturbed(random: np.random.Generator, objects: np.ndarray) -> np.ndarray:
    """The mask of the objects with pixels or edges missing or added."""
    mask = np.roll(objects, random.integers(-1, 2, 2), axis=(0, 1)) > 0
    return mask ^ (random.random(mask.shape) < random.choice([0, 0, 0.002, 0.02]))


def flooded(mask: np.ndarray) -> list[set[tuple[int, int]]]:
    """The components of a mask, found pixel by pixel."""
    left = set(zip(*np.nonzero(mask), strict=True))
    found = []
    while left:
        edge = [left.pop()]
        component = set(edge)
        while edge:
            row, column = edge.pop()
            near = {(row + down, column + right) for down in (-1, 0, 1) for right in (-1, 0, 1)} & left
            left -= near
            component |= near
            edge += near
        found.append(component)
    return found


def counted(first: list[set[tuple[int, int]]], second: list[set[tuple[int, int]]]) -> list[tuple[int, int, int]]:
    """True positives, false positives and false negatives at each threshold, from all pairs."""
    counts = []
    for threshold in THRESHOLDS:
        hits = [(a, b) for a in range(len(first)) for b in range(len(second))
                if Fraction(len(first[a] & second[b]), len(first[a] | second[b])) > threshold]  # fmt: skip
        false_alarms = len(first) - len({a for a, _ in hits})
        misses = len(second) - len({b for _, b in hits})
        counts.append((len(hits), false_alarms, misses))
    return counts


def pixels_of(objects: np.ndarray) -> list[set[tuple[int, int]]]:
    return [set(zip(*np.nonzero(objects == number), strict=True)) for number in np.unique(objects[objects > 0])]


@pytest.mark.parametrize("seed", range(40))
def test_metrics_of_objects_equal_brute_force(seed: int) -> None:
    random = np.random.default_rng(seed)
    objects = random_objects(random)
    prediction = disturbed(random, objects)
    for known in (objects, None):
        truth = flooded(objects > 0) if known is None else pixels_of(objects)
        counts = counted(flooded(prediction), truth)
        both_empty = not truth and not prediction.any()
        average = [Fraction(hit, max(1, hit + false + miss)) for hit, false, miss in counts]
        expected = 1.0 if both_empty else float(sum(average) / 10)
        assert score(metric_of("instance_map"), prediction, objects > 0, known) == pytest.approx(expected, abs=1e-12)
        f2 = [Fraction(5 * hit, max(1, 5 * hit + 4 * miss + false)) for hit, false, miss in counts]
        expected = 1.0 if both_empty else float(sum(f2) / 10)
        assert score(metric_of("airbus_f2"), prediction, objects > 0, known) == pytest.approx(expected, abs=1e-12)


def test_the_random_images_are_partly_right() -> None:
    scores = []
    for seed in range(40):
        random = np.random.default_rng(seed)
        objects = random_objects(random)
        scores.append(score(metric_of("instance_map"), disturbed(random, objects), objects > 0, objects))
    assert len(set(scores)) > 12
    assert 0.1 < np.mean(scores) < 0.8


def test_by_hand() -> None:
    truth = np.zeros((10, 40), np.int32)
    truth[:, 0:10], truth[:, 20:30], truth[0:2, 35:37] = 1, 2, 3
    prediction = np.zeros((10, 40), np.bool_)
    prediction[:, 0:8] = True  # IoU 0.8: hits six thresholds, not 0.80 itself
    prediction[:, 20:30] = True  # a hit at all ten
    prediction[8:10, 14:16] = True  # a false alarm; object 3 is missed
    case = case_of(prediction[..., None], (truth > 0).astype(np.uint8), "sigmoid", truth)
    metric = metric_of("instance_map")
    assert metric.measure(case).tolist() == [2] * 6 + [1] * 4 + [3, 3]
    assert score(metric, prediction, truth > 0, truth) == pytest.approx((6 * 2 / 4 + 4 * 1 / 5) / 10)
    expected = (6 * 10 / (10 + 4 + 1) + 4 * 5 / (5 + 8 + 2)) / 10
    assert score(metric_of("airbus_f2"), prediction, truth > 0, truth) == pytest.approx(expected)


@pytest.mark.parametrize("twentieths", range(10, 20))
def test_thresholds_count_only_if_exceeded(twentieths: int) -> None:
    truth = np.ones((10, 20), np.bool_)
    prediction = np.zeros((10, 20), np.bool_)
    prediction.ravel()[: 10 * twentieths] = True
    metric = metric_of("instance_map")
    assert score(metric, prediction, truth) == pytest.approx((twentieths - 10) / 10)
    prediction.ravel()[10 * twentieths] = True
    assert score(metric, prediction, truth) == pytest.approx((twentieths - 9) / 10)


@pytest.mark.parametrize("name", ["instance_map", "airbus_f2"])
def test_images_without_objects(name: str) -> None:
    nothing, something = np.zeros((5, 6), np.bool_), np.eye(5, 6, dtype=np.bool_)
    for empty, expected in (("one", 1.0), ("zero", 0.0)):
        assert score(metric_of(name, empty=empty), nothing, nothing) == expected
    assert np.isnan(score(metric_of(name, empty="skip"), nothing, nothing))
    assert score(metric_of(name), nothing, nothing) == 1
    for empty in ("one", "zero", "skip"):
        assert score(metric_of(name, empty=empty), something, nothing) == 0
        assert score(metric_of(name, empty=empty), nothing, something) == 0
        assert score(metric_of(name, empty=empty), something, something) == 1


def test_pixels_that_touch_at_a_corner_are_one_object() -> None:
    assert components(np.eye(4, dtype=np.bool_)).max() == 1
    apart = np.zeros((1, 5), np.bool_)
    apart[0, [0, 2]] = True
    assert components(apart).tolist() == [[1, 0, 2, 0, 0]]


def test_components_of_one_plane_of_several() -> None:
    masks = np.zeros((4, 6, 3), np.bool_)
    masks[1, 1:3, 1] = masks[3, 5, 1] = True
    assert components(masks[..., 1]).max() == 2
    assert components(masks[..., 0]).max() == 0


def test_touching_objects_stay_separate_if_known() -> None:
    objects = np.zeros((4, 8), np.int32)
    objects[:, :4], objects[:, 4:] = 1, 2
    mask = objects > 0
    assert score(metric_of("instance_map"), mask, mask, objects) == 0  # one predicted object of IoU 0.5 with either
    assert score(metric_of("instance_map"), mask, mask) == 1


def test_numbers_of_objects_do_not_matter() -> None:
    random = np.random.default_rng(3)
    first, second = random_objects(random), random_objects(random)
    renumbered = np.where(second > 0, 1000 - second, 0).astype(np.int32)
    assert matches(first, second).tolist() == matches(first, renumbered).tolist()
    assert matches(first, first).tolist() == [len(np.unique(first)) - 1] * 12


def test_many_objects_give_the_same_counts_as_few() -> None:
    pixels = np.zeros((300, 301), np.int32)
    pixels[::2, ::2] = np.arange(1, 150 * 151 + 1).reshape(150, 151)
    moved = np.where(np.arange(300)[:, None] < 100, pixels, 0).astype(np.int32)
    assert matches(pixels, moved).tolist() == [50 * 151] * 10 + [150 * 151, 50 * 151]


def test_ignored_pixels_neither_count_nor_divide_objects() -> None:
    labels = np.ones((6, 10), np.uint8)
    labels[:, 4:6] = IGNORE
    labels[:, 6:] = 0
    prediction = np.ones((6, 10), np.bool_)
    prediction[:, 7:] = False
    objects = (labels == 1).astype(np.int32)
    # The predicted object goes on beyond the ignored pixels: 30 pixels that count, 24 of them true.
    assert score(metric_of("instance_map"), prediction, labels, objects) == pytest.approx(6 / 10)
    hidden = np.zeros_like(prediction)
    hidden[:, 4:6] = True  # only in ignored pixels: no false positive
    assert score(metric_of("instance_map"), hidden, np.where(labels == IGNORE, IGNORE, 0)) == 1


def test_each_class_has_its_own_objects() -> None:
    labels = np.zeros((4, 9), np.uint8)
    labels[:, :4], labels[:, 5:] = 1, 2
    objects = np.zeros((4, 9), np.int32)
    objects[:, :4], objects[:, 5:7], objects[:, 7:] = 1, 2, 3
    prediction = np.stack([labels == 1, labels == 2], axis=-1)
    metric = metric_of("instance_map", classes=2)
    statistics = metric.measure(case_of(prediction, labels, "sigmoid", objects))[None]
    assert metric.per_class(statistics).tolist() == [1, 0]
    assert metric.score(statistics) == 0.5
    assert metric.for_class(0).score(statistics) == 1
    assert metric.for_class(1).score(statistics) == 0
    assert metric.needs_objects
