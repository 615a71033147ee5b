import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from toolkit.core.masks.labels import IGNORE, Activation, label_count, planes
from toolkit.core.metrics.classification_report import ClassificationReport, ReportRow, classification_report
from toolkit.core.metrics.metric import case_of


def reported(truth: list[int], predicted: list[int], names: str) -> ClassificationReport:
    """The report on exclusive classes, from one label for each pixel."""
    labels = np.array([truth], np.uint8)
    prediction = planes(np.array([predicted], np.uint8), len(names), "softmax") == 1
    return classification_report(case_of(prediction, labels, "softmax").areas, list(names), "softmax")


def rounded(row: ReportRow | None) -> tuple[float, ...]:
    assert row is not None
    return (*(round(score, 2) for score in (row.precision, row.recall, row.f1)), row.support)


def test_the_example_of_scikit_learn() -> None:
    """https://scikit-learn.org/stable/modules/generated/sklearn.metrics.classification_report.html"""
    report = reported([0, 1, 2, 2, 2], [0, 0, 2, 2, 1], "abc")
    assert rounded(report.classes["a"]) == (0.50, 1.00, 0.67, 1)
    assert rounded(report.classes["b"]) == (0.00, 0.00, 0.00, 1)
    assert rounded(report.classes["c"]) == (1.00, 0.67, 0.80, 3)
    assert report.accuracy == pytest.approx(0.6)
    assert rounded(report.macro) == (0.50, 0.56, 0.49, 5)
    assert rounded(report.weighted) == (0.70, 0.60, 0.61, 5)
    assert report.micro is None


def test_a_class_that_is_never_predicted_scores_zero() -> None:
    """The table of an image of 256×256 whose clusters were all taken for background."""
    pixels = 256 * 256
    areas = np.array([(60793, 60907, 60793, pixels), (4352, 4352, 4352, pixels), (277, 277, 291, pixels)])
    areas = np.concatenate([areas, [(0, 0, 100, pixels)]])
    report = classification_report(areas, ["background", "glowing", "hot pixel", "cluster"], "softmax")
    assert rounded(report.classes["background"]) == (1.00, 1.00, 1.00, 60793)
    assert rounded(report.classes["hot pixel"]) == (1.00, 0.95, 0.98, 291)
    assert rounded(report.classes["cluster"]) == (0.00, 0.00, 0.00, 100)
    assert rounded(report.macro) == (0.75, 0.74, 0.74, 65536)
    assert rounded(report.weighted) == (1.00, 1.00, 1.00, 65536)
    assert round(report.accuracy or 0, 2) == 1.00


def test_absent_classes_are_left_out_of_averages() -> None:
    report = reported([0, 0, 1], [0, 1, 1], "abc")
    assert report.classes["c"] is None
    assert report.macro.recall == pytest.approx((1 / 2 + 1) / 2)
    assert report.macro == reported([0, 0, 1], [0, 1, 1], "ab").macro


def test_a_single_class_is_reported_with_its_background() -> None:
    areas = np.array([[3, 5, 4, 20]])
    report = classification_report(areas, ["salt"], "sigmoid")
    assert list(report.classes) == ["background", "salt"]
    assert rounded(report.classes["background"]) == (0.93, 0.88, 0.90, 16)  # 14 of 15 and of 16
    assert rounded(report.classes["salt"]) == (0.60, 0.75, 0.67, 4)
    assert report.accuracy == pytest.approx(17 / 20)
    assert report.micro is None


def test_several_independent_classes_have_a_micro_average_and_no_accuracy() -> None:
    """Truth [[1, 0], [1, 1], [0, 1]], prediction [[1, 1], [0, 1], [0, 1]], one row for each pixel."""
    report = classification_report(np.array([[1, 1, 2, 3], [2, 3, 2, 3]]), ["a", "b"], "sigmoid")
    assert report.accuracy is None
    assert report.micro is not None
    assert rounded(report.micro) == (0.75, 0.75, 0.75, 4)
    assert rounded(report.macro) == (0.83, 0.75, 0.73, 4)


def test_only_ignored_pixels_have_no_accuracy() -> None:
    for activation in ("softmax", "sigmoid"):
        report = classification_report(np.zeros((2, 4), np.int64), ["a", "b"], activation)
        assert set(report.classes.values()) == {None}
        assert report.accuracy is None
        assert report.macro == report.weighted == ReportRow(0, 0, 0, 0, 0)


LABELS = arrays(np.uint8, (3, 5), elements=st.integers(0, 3) | st.just(IGNORE))


@settings(max_examples=50, deadline=None)
@given(LABELS, arrays(np.uint8, (3, 5), elements=st.integers(0, 3)))
def test_accuracy_is_the_weighted_recall_and_the_micro_precision(truth: np.ndarray, predicted: np.ndarray) -> None:
    case = case_of(planes(predicted, 4, "softmax") == 1, truth, "softmax")
    report = classification_report(case.areas, list("abcd"), "softmax")
    if not (truth != IGNORE).any():
        return
    assert report.accuracy == pytest.approx(np.mean((truth == predicted)[truth != IGNORE]))
    assert report.accuracy == pytest.approx(report.weighted.recall)
    supports = [0 if row is None else row.support for row in report.classes.values()]
    assert supports == [np.count_nonzero(truth == label) for label in range(4)]


@pytest.mark.parametrize(("activation", "classes"), [("softmax", 4), ("sigmoid", 3), ("sigmoid", 1)])
def test_predictions_in_ignored_pixels_do_not_matter(activation: Activation, classes: int) -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, label_count(classes, activation), (8, 9)).astype(np.uint8)
    labels[random.random(labels.shape) < 0.3] = IGNORE
    prediction = planes(
        random.integers(0, label_count(classes, activation), labels.shape).astype(np.uint8), classes, activation
    )
    other = np.where((labels == IGNORE)[..., None], 1 - prediction, prediction)
    first, second = (
        classification_report(case_of(some == 1, labels, activation).areas, list("abcd"[:classes]), activation)
        for some in (prediction, other)
    )
    assert first == second
