import numpy as np
import pytest

from toolkit.core.labels import BINARY, VOID, Classes, UnknownValuesError, has_foreground, pixel_counts, planes

LABELS = np.array([[0, 1], [2, VOID]], np.uint8)


def test_exclusive_classes_begin_at_zero() -> None:
    one_hot = planes(LABELS, 3, "softmax")
    assert one_hot[0, 0].tolist() == [1, 0, 0]
    assert one_hot[0, 1].tolist() == [0, 1, 0]
    assert one_hot[1, 0].tolist() == [0, 0, 1]
    assert one_hot[1, 1].tolist() == [VOID] * 3


def test_independent_classes_leave_zero_to_the_background() -> None:
    one_hot = planes(LABELS, 2, "sigmoid")
    assert one_hot[0, 0].tolist() == [0, 0]
    assert one_hot[0, 1].tolist() == [1, 0]
    assert one_hot[1, 0].tolist() == [0, 1]
    assert one_hot[1, 1].tolist() == [VOID] * 2


def test_void_is_no_foreground() -> None:
    assert has_foreground(LABELS)
    assert not has_foreground(np.array([[0, VOID]], np.uint8))


def test_any_value_above_zero_is_foreground_of_a_single_class() -> None:
    raw = np.array([[0, 1], [65535, 128]], np.uint16)
    assert BINARY.labels(raw).tolist() == [[0, 1], [1, 1]]
    assert Classes(ignore=(128,)).labels(raw).tolist() == [[0, 1], [1, VOID]]


def test_a_single_class_may_be_any_values() -> None:
    inverted = Classes(values=((0,),))
    assert inverted.labels(np.array([[0, 255]], np.uint8)).tolist() == [[1, 0]]


def test_exclusive_classes_know_every_value() -> None:
    street = Classes(("sky", "road"), "softmax", ((0,), (3, 4)), (11,))
    assert street.labels(np.array([[0, 3, 4, 11]], np.uint8)).tolist() == [[0, 1, 1, VOID]]
    with pytest.raises(UnknownValuesError, match=r"no class has: 1, 7; expected sky: 0, road: 3 or 4, void: 11"):
        street.labels(np.array([[0, 7, 1]], np.uint8))


def test_zero_is_background_of_independent_classes() -> None:
    defects = Classes(("scratch", "hole"), "sigmoid", ((1,), (2,)))
    assert defects.labels(np.array([[0, 1, 2]], np.uint8)).tolist() == [[0, 1, 2]]
    with pytest.raises(UnknownValuesError, match="3"):
        defects.labels(np.array([[3]], np.uint8))


def test_pixels_are_counted_by_class_without_void() -> None:
    assert pixel_counts(LABELS, 3, "softmax").tolist() == [1, 1, 1]
    assert pixel_counts(LABELS, 2, "sigmoid").tolist() == [1, 1]
