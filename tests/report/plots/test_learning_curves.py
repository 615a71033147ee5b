import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from toolkit.files.experiment.history import Epoch
from toolkit.files.images.decoding import read_image
from toolkit.report.colours import GREY, INK, LINE_COLOURS, Colour
from toolkit.report.plots.curve_lines import TrainedFold
from toolkit.report.plots.learning_curves import columns_of, learning_curves, legend_rows, range_of_constant

pytestmark = pytest.mark.train  # a picture takes a second

CLASSES = ("sky", "road", "car")
WIDE = 14.7 * 120


def epoch(number: int, value: float = 0.5, classes: Sequence[str] = (), training: float | None = None) -> Epoch:
    scores = {"miou": value, **{f"miou[{name}]": value - 0.1 * place for place, name in enumerate(classes)}}
    return Epoch(number, 0.01, 1 - value, 1 - value, scores, 7, 1.0, {"miou": value if training is None else training})


def rising(epochs: int, classes: Sequence[str] = ()) -> list[Epoch]:
    return [epoch(number, 0.3 + 0.5 * number / max(epochs, 1), classes) for number in range(epochs)]


def trained(fold: int, *stages: Sequence[Epoch]) -> TrainedFold:
    return TrainedFold(fold, f"fold {fold}", stages, [len(stage) - 1 for stage in stages])


def drawn(path: Path, *folds: TrainedFold, classes: Sequence[str] = ("salt",)) -> npt.NDArray[np.uint8]:
    learning_curves(
        path, "exp: curves", folds, metrics=["miou", "dice"], class_metrics=["miou", "global_recall"],
        classes=classes, activation="softmax" if len(classes) > 1 else "sigmoid",
    )  # fmt: skip
    return np.asarray(read_image(path), np.uint8)


def places(picture: npt.NDArray[np.uint8], colour: Colour) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows and columns of a colour below the title."""
    rows, columns = np.nonzero((picture[60:] == np.array(colour, np.uint8)).all(axis=2))
    return rows, columns


def test_each_fold_has_its_colour_in_every_panel(tmp_path: Path) -> None:
    picture = drawn(tmp_path / "curves.png", trained(0, rising(9)), trained(3, rising(7)))
    assert picture.shape[1] == pytest.approx(WIDE, abs=1)
    for fold in (0, 3):
        _, columns = places(picture, LINE_COLOURS[fold])
        assert {int(3 * column / WIDE) for column in columns} == {0, 1, 2}  # loss, miou, learning rate; no dice
    assert not len(places(picture, LINE_COLOURS[1])[0])


def test_stages_begin_together_behind_a_mark(tmp_path: Path) -> None:
    """Fold 1 stopped early in its first stage; its second one begins where that of fold 0 does."""
    one = drawn(tmp_path / "one.png", trained(0, rising(8), rising(4)), trained(1, rising(2), rising(4)))
    _, columns = places(one, LINE_COLOURS[1])
    columns = columns[columns < WIDE / 3]
    gap = np.flatnonzero(np.diff(np.unique(columns)) > 100)
    assert len(gap) == 1  # between its two epochs of the first stage and the second stage
    alone = drawn(tmp_path / "alone.png", trained(0, rising(8)))
    counts = []
    for picture in (one, alone):
        dark = (picture[120:280] < 190).all(axis=2).mean(axis=0) > 0.9
        counts.append(int((np.diff(dark.astype(int)) == 1).sum()))
    assert counts == [3, 0]  # one in each panel


def test_the_best_epoch_is_ringed_once_a_stage_in_each_panel(tmp_path: Path) -> None:
    from scipy.ndimage import label  # noqa: PLC0415

    fold = TrainedFold(0, "fold 0", [rising(6), rising(6)], [2, 4])
    picture = drawn(tmp_path / "curves.png", fold)
    ringed = (np.abs(picture.astype(int) - np.array(INK)) < 60).all(axis=2)
    inside = (picture == np.array(LINE_COLOURS[0], np.uint8)).all(axis=2)
    rings, count = label(ringed | inside, np.ones((3, 3)))
    both = [number for number in range(1, count + 1) if ringed[rings == number].any() and inside[rings == number].any()]
    assert len(both) == 2 * 3


def test_of_several_classes_each_has_a_line_in_its_colour_and_the_background_is_grey(tmp_path: Path) -> None:
    few = drawn(tmp_path / "few.png", trained(5, rising(9, CLASSES)), classes=CLASSES)
    single = drawn(tmp_path / "single.png", trained(5, rising(9)))
    assert few.shape[0] > single.shape[0] + 300
    below = few[single.shape[0] :]
    for colour in (GREY, LINE_COLOURS[0], LINE_COLOURS[1]):
        assert len(places(below, colour)[0]) > 300
    many = tuple(f"class {number}" for number in range(20))
    several = drawn(tmp_path / "many.png", trained(5, rising(2, many)), classes=many)
    assert several.shape[0] - single.shape[0] == pytest.approx(3 * (few.shape[0] - single.shape[0]), abs=4)


@pytest.mark.parametrize(
    "stages",
    [
        [[epoch(0)]],
        [[epoch(0, math.nan)]],
        [[epoch(0, math.nan), epoch(1, 0.5), epoch(2, math.nan)], [epoch(0)]],
        [[epoch(number, 0.5, training=math.nan) for number in range(3)]],
        [[epoch(0, -1e6), epoch(1, 0.5)]],
    ],
)
def test_any_history_can_be_drawn(tmp_path: Path, stages: list[list[Epoch]]) -> None:
    picture = drawn(tmp_path / "curves.png", trained(0, *stages))
    assert len(places(picture, LINE_COLOURS[0])[0]) > 30  # at least the learning rate


def test_the_same_history_gives_the_same_file_and_no_window_system_is_used(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        drawn(tmp_path / name, trained(0, rising(4)))
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert "matplotlib.pyplot" not in sys.modules


def test_equal_folds_all_show(tmp_path: Path) -> None:
    picture = drawn(tmp_path / "curves.png", *(trained(fold, rising(6)) for fold in range(5)))
    panels = picture[: int(0.8 * len(picture))]  # without the legend
    for fold in range(5):
        assert (panels == np.array(LINE_COLOURS[fold], np.uint8)).all(axis=2).sum() > 300


def test_training_values_of_a_single_epoch_are_in_the_legend(tmp_path: Path) -> None:
    one, two = (drawn(tmp_path / "curves.png", trained(0, rising(epochs))) for epochs in (1, 2))
    assert one.shape == two.shape
    rows = slice(int(0.93 * len(one)), None)
    assert (one[rows] != two[rows]).any()


@pytest.mark.parametrize("panels", range(2, 40))
def test_the_last_row_of_panels_is_not_mostly_empty(panels: int) -> None:
    columns = columns_of(panels)
    last = panels % columns or columns
    assert 2 * last >= columns or panels == 37  # which no number of columns from 3 to 5 divides well


@pytest.mark.parametrize(
    ("values", "are_scores", "expected"),
    [
        ([0.0, 0.0], True, (-0.03, 1.03)),
        ([0.4, 0.4], True, (-0.03, 1.03)),
        ([12.0, 12.0], True, (0, 24)),
        ([1e-3, 1e-3], False, (0, 2e-3)),
        ([-2.0, -2.0], False, (-4, 0)),
        ([1e-3, 2e-3], False, None),
    ],
)
def test_the_axis_of_constant_values_holds_zero(
    values: list[float], are_scores: bool, expected: tuple[float, float] | None
) -> None:
    assert range_of_constant(np.array(values), are_scores=are_scores) == expected


def test_legends_read_in_order_and_groups_start_new_rows() -> None:
    folds = [(f"fold {number}", None) for number in range(5)]
    styles = [("validation", None), ("training batches", None), ("best epoch", None)]
    assert legend_rows(100, folds, styles) == [[*folds, *styles]]
    rows = legend_rows(6.5, folds, styles)
    assert len(rows) > 1
    assert [name for row in rows for name in row] == [*folds, *styles]
    assert not any(fold in row and style in row for row in rows for fold in folds for style in styles)


def test_a_line_leads_over_epochs_that_were_not_validated(tmp_path: Path) -> None:
    """As in an experiment with `validate_every: 2`; the rest of the line does not depend on what is left out."""
    whole = rising(9)
    every_second = [one if one.number % 2 == 0 else replace(one, validation_loss=math.nan) for one in whole]
    _, expected = places(drawn(tmp_path / "whole.png", trained(0, whole)), LINE_COLOURS[0])
    _, columns = places(drawn(tmp_path / "half.png", trained(0, every_second)), LINE_COLOURS[0])
    in_first = {int(column) for column in expected if column < WIDE / 3}
    assert len(in_first - {int(column) for column in columns}) < 0.05 * len(in_first)
