import numpy as np

from toolkit.core.labels import VOID, has_foreground, planes

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
