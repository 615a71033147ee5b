"""Covers toolkit/core/masks/labels.py and the types of toolkit/core/arrays.py."""

import numpy as np
import pytest

from toolkit.core.masks.labels import (
    BINARY,
    BITS,
    IGNORE,
    Activation,
    Classes,
    OverlapError,
    UnknownValuesError,
    has_foreground,
    label_count,
    labels_of_masks,
    pixel_counts,
    planes,
)

LABELS = np.array([[0, 1], [2, IGNORE]], np.uint8)


def test_exclusive_classes_begin_at_zero() -> None:
    one_hot = planes(LABELS, 3, "softmax")
    assert one_hot[0, 0].tolist() == [1, 0, 0]
    assert one_hot[0, 1].tolist() == [0, 1, 0]
    assert one_hot[1, 0].tolist() == [0, 0, 1]
    assert one_hot[1, 1].tolist() == [IGNORE] * 3


def test_label_zero_of_independent_classes_is_background() -> None:
    one_hot = planes(LABELS, 2, "sigmoid")
    assert one_hot[0, 0].tolist() == [0, 0]
    assert one_hot[0, 1].tolist() == [1, 0]
    assert one_hot[1, 0].tolist() == [0, 1]
    assert one_hot[1, 1].tolist() == [IGNORE] * 2


def test_ignored_pixels_are_not_foreground() -> None:
    assert has_foreground(LABELS)
    assert not has_foreground(np.array([[0, IGNORE]], np.uint8))


def test_every_value_above_zero_is_foreground_of_a_single_class() -> None:
    raw = np.array([[0, 1], [65535, 128]], np.uint16)
    assert BINARY.labels(raw).tolist() == [[0, 1], [1, 1]]
    assert Classes(ignore=(128,)).labels(raw).tolist() == [[0, 1], [1, IGNORE]]


def test_a_single_class_may_have_any_values() -> None:
    inverted = Classes(values=((0,),))
    assert inverted.labels(np.array([[0, 255]], np.uint8)).tolist() == [[1, 0]]


def test_unknown_values_of_exclusive_classes_are_rejected() -> None:
    street = Classes(("sky", "road"), "softmax", ((0,), (3, 4)), (11,))
    assert street.labels(np.array([[0, 3, 4, 11]], np.uint8)).tolist() == [[0, 1, 1, IGNORE]]
    with pytest.raises(UnknownValuesError, match=r"no class has: 1, 7; expected sky: 0, road: 3 or 4, ignored: 11"):
        street.labels(np.array([[0, 7, 1]], np.uint8))


def test_zero_is_background_of_independent_classes() -> None:
    defects = Classes(("scratch", "hole"), "sigmoid", ((1,), (2,)))
    assert defects.labels(np.array([[0, 1, 2]], np.uint8)).tolist() == [[0, 1, 2]]
    with pytest.raises(UnknownValuesError, match="3"):
        defects.labels(np.array([[3]], np.uint8))


def test_pixels_are_counted_by_class_without_ignored_pixels() -> None:
    assert pixel_counts(LABELS, 3, "softmax").tolist() == [1, 1, 1]
    assert pixel_counts(LABELS, 2, "sigmoid").tolist() == [1, 1]


@pytest.mark.parametrize("classes", range(1, BITS + 1))
def test_independent_classes_share_pixels(classes: int) -> None:
    masks = np.random.default_rng(classes).random((9, 14, classes)) < 0.5
    task = Classes(tuple(map(str, range(classes))), "sigmoid")
    labels = task.labels_of_planes(masks)
    assert labels.max() < label_count(classes, "sigmoid") < IGNORE
    assert np.array_equal(task.planes(labels), masks)
    assert pixel_counts(labels, classes, "sigmoid").tolist() == masks.sum(axis=(0, 1)).tolist()
    assert has_foreground(labels) == masks.any()


@pytest.mark.parametrize(("count", "activation"), [(4, "softmax"), (BITS + 1, "sigmoid")])
def test_other_classes_cannot_share_pixels(count: int, activation: Activation) -> None:
    task = Classes(tuple("abcdefgh"[:count]), activation)
    numbers = np.random.default_rng(1).integers(0, count + 1, (9, 14))
    masks = numbers[..., None] == np.arange(1, count + (activation == "sigmoid"))
    labels = task.labels_of_planes(masks)
    assert np.array_equal(task.planes(labels)[..., activation == "softmax" :], masks)
    assert labels.max() < label_count(count, activation)
    masks[3, 4, [0, 2]] = True
    with pytest.raises(OverlapError, match=r"the masks of . and . share pixels"):
        task.labels_of_planes(masks)


def test_pixel_values_of_many_independent_classes() -> None:
    for count in (3, BITS, BITS + 1):
        task = Classes(tuple("abcdefgh"[:count]), "sigmoid", tuple((value,) for value in range(1, count + 1)))
        raw = np.random.default_rng(count).integers(0, count + 1, (9, 14))
        assert np.array_equal(task.planes(task.labels(raw)), raw[..., None] == np.arange(1, count + 1))
        assert pixel_counts(task.labels(raw), count, "sigmoid").tolist() == np.bincount(raw.ravel())[1:].tolist()


@pytest.mark.parametrize(("classes", "activation"), [(1, "sigmoid"), (3, "sigmoid"), (9, "sigmoid"), (4, "softmax")])
def test_labels_of_masks_undoes_planes(classes: int, activation: Activation) -> None:
    labels = np.random.default_rng(0).integers(0, label_count(classes, activation), (20, 30)).astype(np.uint8)
    masks = planes(labels, classes, activation) == 1
    assert np.array_equal(labels_of_masks(masks, activation), labels)
