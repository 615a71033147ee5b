import math

import numpy as np
import pytest

from toolkit.core.masks.labels import IGNORE, Activation, label_count, planes
from toolkit.core.metrics.confusion import (
    PixelScores,
    area_bins,
    class_scores,
    confusion_of,
    pooled_scores,
    worst_first,
)
from toolkit.core.metrics.metric import case_of

LABELS = np.array([[0, 0, 1, 1], [2, 2, IGNORE, 0]], np.uint8)


def masks(*rows: str) -> np.ndarray:
    """One plane for each text, for example `..##/#...`."""
    return np.stack([[[pixel == "#" for pixel in line] for line in row.split("/")] for row in rows], axis=-1)


def test_a_confusion_counted_by_hand() -> None:
    prediction = masks("##../...#", "..#./###.", "...#/....")
    assert confusion_of(prediction, LABELS, "softmax").counts.tolist() == [[3, 0, 0], [0, 1, 1], [0, 2, 0]]


def test_independent_classes_have_a_background_row() -> None:
    prediction = masks("..##/....", "#..#/#.#.")
    # rows: background, class of label 1, class of label 2; the pixel that both claim counts for both
    found = confusion_of(prediction, LABELS, "sigmoid")
    assert found.counts.tolist() == [[2, 0, 1], [0, 2, 1], [1, 0, 1]]
    assert found.pixels.tolist() == [3, 2, 2]
    assert found.shares[1].tolist() == [0, 1, 1 / 2]
    single = np.array([[0, 1, 1, IGNORE]], np.uint8)
    assert confusion_of(masks("#.##"), single, "sigmoid").counts.tolist() == [[0, 1], [1, 1]]


def random_labels(classes: int, activation: Activation) -> np.ndarray:
    """All labels, and some ignored pixels."""
    random = np.random.default_rng(0)
    labels = random.integers(0, label_count(classes, activation), (20, 30), np.uint8)
    labels[random.random(labels.shape) < 0.1] = IGNORE
    return labels


@pytest.mark.parametrize(("activation", "classes"), [("softmax", 4), ("sigmoid", 1), ("sigmoid", 3), ("sigmoid", 9)])
def test_every_pair_of_true_and_predicted_class_counts(activation: Activation, classes: int) -> None:
    labels = random_labels(classes, activation)
    prediction = planes(np.roll(labels, 7), classes, activation) == 1
    case = case_of(prediction, labels, activation)
    found = confusion_of(prediction, labels, activation)
    true, ours = ([plane[..., index] for index in range(classes)] for plane in (case.truth, prediction))
    if activation == "sigmoid":
        true.insert(0, case.valid & ~case.truth.any(axis=-1))
        ours.insert(0, ~prediction.any(axis=-1))
    assert found.counts.tolist() == [[np.count_nonzero(one & other) for other in ours] for one in true]
    assert found.pixels.tolist() == [np.count_nonzero(one) for one in true]
    first = 1 if activation == "sigmoid" else 0
    assert np.diag(found.counts)[first:].tolist() == case.areas[:, 0].tolist()
    assert found.pixels[first:].tolist() == case.areas[:, 2].tolist()


def test_exclusive_classes_are_wrong_off_the_diagonal() -> None:
    labels = random_labels(4, "softmax")
    prediction = np.roll(planes(np.where(labels == IGNORE, 0, labels), 4, "softmax") == 1, 7, axis=0)
    case = case_of(prediction, labels, "softmax")
    counts = confusion_of(prediction, labels, "softmax").counts
    assert counts.sum() == np.count_nonzero(labels != IGNORE)
    assert counts.sum(axis=0).tolist() == case.areas[:, 1].tolist()
    assert case.wrong == counts.sum() - np.trace(counts)


def test_ignored_pixels_are_not_wrong() -> None:
    case = case_of(masks("####/####"), np.array([[1, 0, IGNORE, 1], [1, 1, IGNORE, 1]], np.uint8), "sigmoid")
    assert case.wrong == 1


def test_scores_of_a_class_by_hand() -> None:
    areas = np.array(
        [
            # intersection, prediction, truth, pixels
            [4, 8, 4, 100],
            [2, 2, 6, 100],
            [0, 0, 5, 100],  # missed
            [0, 0, 0, 100],  # rightly empty
            [0, 10, 0, 100],  # a false alarm
        ],
        np.int64,
    )
    scores = class_scores(areas)
    assert scores.pooled == PixelScores(6 / 20, 6 / 15, 12 / 35, 6 / 29)
    assert scores.per_image.precision == pytest.approx((4 / 8 + 2 / 2) / 2)
    assert scores.per_image.recall == pytest.approx((1 + 2 / 6 + 0) / 3)
    assert scores.per_image.f1 == pytest.approx((8 / 12 + 4 / 8 + 0) / 3)
    assert scores.per_image.iou == pytest.approx((4 / 8 + 2 / 6 + 0) / 3)
    assert (scores.pixels, scores.predicted_pixels) == (15, 20)
    assert (scores.images, scores.found, scores.empty_images, scores.left_empty) == (3, 2, 2, 1)
    assert class_scores(areas[::-1]) == scores


def test_an_absent_class_has_no_scores() -> None:
    scores = class_scores(np.array([[0, 0, 0, 9]] * 3, np.int64))
    assert all(score is None for some in (scores.pooled, scores.per_image) for score in vars(some).values())
    assert (scores.images, scores.left_empty) == (0, 3)


def test_pooled_scores_are_over_the_pixels_of_all_classes() -> None:
    areas = np.random.default_rng(0).integers(1, 9, (4, 3, 4))
    assert pooled_scores(areas) == pooled_scores(areas.reshape(-1, 4)) == pooled_scores(areas.sum(axis=(0, 1))[None])


def test_the_worst_images_come_first_with_ties_by_wrong_pixels() -> None:
    scores = np.array([0.5, 0, math.nan, 0, 1, 0])
    wrong = np.array([7, 3, 99, 8, 0, 3])
    assert worst_first(scores, wrong, "max").tolist() == [3, 1, 5, 0, 4]
    assert worst_first(scores, wrong, "min").tolist() == [4, 0, 3, 1, 5]


def test_images_are_grouped_by_the_size_of_their_foreground() -> None:
    foreground = np.array([0, 40, 3, 0, 8, 1, 9, 20, 2, 7, 30, 5])
    bins = area_bins(foreground)
    assert [(one.low, one.high) for one in bins] == [(0, 0), (1, 2), (3, 5), (7, 8), (9, 20), (30, 40)]
    assert sorted(np.concatenate([one.positions for one in bins]).tolist()) == list(range(12))
    assert bins[1].positions.tolist() == [5, 8]


@pytest.mark.parametrize(
    ("foreground", "expected"),
    [
        ([0, 0], [(0, 0)]),
        ([5], [(5, 5)]),
        ([4, 4, 4, 4, 4, 4, 4, 9], [(4, 4), (9, 9)]),
        ([1, 2], [(1, 1), (2, 2)]),
    ],
)
def test_few_or_equal_sizes_give_few_bins(foreground: list[int], expected: list[tuple[int, int]]) -> None:
    assert [(one.low, one.high) for one in area_bins(np.array(foreground))] == expected
