import numpy as np
import numpy.typing as npt
import pytest

from toolkit.core.masks.labels import IGNORE, Activation, planes
from toolkit.core.metrics.metric import case_of
from toolkit.report.class_rows import CLASS_COLUMNS, ClassRow, class_rows_legend
from toolkit.report.colours import WRONG, class_colour
from toolkit.report.overlay_sheet import overlay_sheet

SIZE = (40, 60)


def row(activation: Activation) -> ClassRow:
    """A black image: class 1 on the left is predicted right, class 2 on the right as class 1, the top is ignored."""
    labels, found = np.zeros(SIZE, np.uint8), np.zeros(SIZE, np.uint8)
    labels[20:30, 5:20], labels[20:30, 30:50] = 1, 2
    found[20:30, 5:20], found[20:30, 30:50] = 1, 1
    labels[:5] = IGNORE
    classes = 3 if activation == "softmax" else 2
    prediction = planes(found, classes, activation) == 1
    return ClassRow("a", np.zeros((*SIZE, 3), np.uint8), case_of(prediction, labels, activation), activation)


def has(tile: npt.NDArray[np.uint8], colour: tuple[int, int, int]) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = (tile == np.array(colour, np.uint8)).all(axis=2)
    return found


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_all_classes_are_shown_in_truth_and_prediction_and_what_is_wrong(activation: Activation) -> None:
    image, truth, prediction, wrong = row(activation).tiles((SIZE[1], SIZE[0]))
    assert not image.any()
    for tile, left, right in ((truth, 0, 1), (prediction, 0, 0)):
        assert has(tile, class_colour(left))[20, 5:20].all()
        assert has(tile, class_colour(right))[20, 30:50].all()
        assert tile[:5].any()  # ignored pixels are striped
        assert not tile[35:].any()  # the background is not tinted
    assert has(wrong, WRONG).sum() == 10 * 20
    assert has(wrong, WRONG)[20:30, 30:50].all()


def test_rows_are_drawn_in_a_sheet_with_a_legend_of_the_classes() -> None:
    rows = [row("softmax"), row("softmax")]
    legend = class_rows_legend(("sky", "road", "car"), "softmax")
    sheet = overlay_sheet("Classes", [("Worst", rows)], columns=CLASS_COLUMNS, legend=legend, tile_height=100)
    for colour in (class_colour(0), class_colour(1), WRONG):
        assert has(sheet[:100], colour).any()


def test_the_legend_names_exactly_what_occurs() -> None:
    names = tuple(f"class {number}" for number in range(40))
    shown = row("softmax")
    assert shown.labels == {0, 1, 2, IGNORE}
    legend = class_rows_legend(names, "softmax")
    assert len(legend(shown.labels)) == len(shown.labels) + 1  # and what is wrong
    for number in (1, 39):
        square = np.asarray(legend({number})[0])
        assert has(square, class_colour(number - 1)).any()
    first = np.asarray(legend({0})[0])  # a class that is not tinted is named too
    assert (first < 128).any()
    assert not has(first, class_colour(0)).any()
