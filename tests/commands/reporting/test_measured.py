"""What one pass over the predictions counts of several classes; pages of trained experiments are in test_report.py."""

import numpy as np

from toolkit.commands.reporting.measured import _Pass
from toolkit.core.masks.labels import IGNORE, Classes
from toolkit.report.page.values import ClassFound


def test_classes_have_their_own_doubts_and_counts() -> None:
    labels = np.zeros((4, 5), np.uint8)
    labels[0, :2] = labels[3, 4] = 1
    labels[2, 2] = 2
    labels[1] = IGNORE
    stored = np.full((4, 5, 3), 80, np.uint8)
    stored[0, 0] = (10, 5, 240)  # sure of class 2 where the label says 1
    stored[3, 0] = (5, 250, 0)  # sure of class 1 where the label says background
    counted = _Pass(Classes(("sky", "road", "tree"), "softmax"))
    counted.add(stored, labels, np.zeros((4, 5, 3), np.bool_))
    assert counted.contradicted == [[0.0, 2 / 15, 1 / 15]]
    assert counted.classes() == [
        ClassFound("sky", 11 / 15, 1, 2, 5),
        ClassFound("road", 3 / 15, 1, 2, 1),
        ClassFound("tree", 1 / 15, 1, 1, 1),
    ]
    assert counted.sizes == []


def test_a_single_class_has_no_such_counts() -> None:
    counted = _Pass(Classes())
    counted.add(np.full((3, 3, 1), 255, np.uint8), np.zeros((3, 3), np.uint8), np.zeros((3, 3, 1), np.bool_))
    assert counted.classes() == []
    assert counted.contradicted == [[1.0]]
