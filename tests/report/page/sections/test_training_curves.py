import math
from dataclasses import replace

from toolkit.files.experiment.history import Epoch
from toolkit.report.page.blocks import Beside, Chart, Folded, TableBlock
from toolkit.report.page.sections.training_curves import training_curves
from toolkit.report.page.values import PageValues
from toolkit.report.plots.curve_lines import TrainedFold


def epoch(number: int, score: float, **further: float) -> Epoch:
    return Epoch(number, 0.01, 1.0 - score, 1.1 - score, {"dice": score, **further}, 10, 30.0)


def charts_of(section: object) -> dict[str, Chart]:
    found = {}
    waiting = list(section.blocks)  # type: ignore[attr-defined]
    while waiting:
        block = waiting.pop(0)
        if isinstance(block, Beside | Folded):
            waiting = [*block.blocks, *waiting]
        elif isinstance(block, Chart):
            found[block.title] = block
    return found


def test_stages_follow_each_other_and_folds_have_lines(example_values: PageValues) -> None:
    first = TrainedFold(0, "fold 0", [[epoch(0, 0.1), epoch(1, 0.3)], [epoch(0, 0.5)]], [1, 0])
    second = TrainedFold(1, "fold 1", [[epoch(0, 0.2)]], [0])
    section = training_curves(replace(example_values, trained=[first, second], seconds=[("fold 0", 3, 90.0)]))
    assert section is not None
    assert section.lead == "3 epochs in 1 min 30 s, all folds and stages together."
    chart = charts_of(section)["dice"]
    assert list(chart.places) == [1, 2, 3]
    assert [list(one.values) for one in chart.series] == [[0.1, 0.3, 0.5], [0.2, None, None]]
    assert chart.marks == [(2.5, "stage 1")]
    (table,) = [block for block in section.blocks if isinstance(block, TableBlock)]
    assert [row[:4] for row in table.rows] == [
        ("fold 0", "0", "2", "2"),
        ("fold 0", "1", "1", "1"),
        ("fold 1", "0", "1", "1"),
    ]


def test_stages_with_different_losses_have_charts_of_their_own(example_values: PageValues) -> None:
    stages = [[epoch(0, 0.1), epoch(1, 0.3)], [epoch(0, 0.5)], [epoch(0, 0.6), epoch(1, 0.7)]]
    trained = [TrainedFold(0, "fold 0", stages, [1, 0, 0])]
    losses = ["bce", "lovasz", "lovasz"]
    charts = charts_of(training_curves(replace(example_values, trained=trained, stage_losses=losses)))
    first, second = charts["Validation loss, stage 0: bce"], charts["Validation loss, stages 1 – 2: lovasz"]
    assert list(first.places) == [1, 2]
    assert first.marks == []
    assert [one.values for one in first.series if one.style == "line"] == [[1.0, 0.8]]
    assert list(second.places) == [3, 4, 5]
    assert second.marks == [(3.5, "stage 2")]
    assert "cannot be compared" in second.note
    (whole,) = [
        chart
        for title, chart in charts_of(
            training_curves(replace(example_values, trained=trained, stage_losses=["bce"] * 3))
        ).items()
        if "loss" in title
    ]
    assert whole.title == "Validation loss: bce"
    assert "compared" not in whole.note


def test_classes_have_the_mean_of_the_folds(example_values: PageValues) -> None:
    scores = {"iou[road]": 0.2, "iou[tree]": 0.6}
    folds = [
        TrainedFold(0, "fold 0", [[epoch(0, 0.1, **scores)]], [0]),
        TrainedFold(1, "fold 1", [[epoch(0, 0.1, **{"iou[road]": 0.4, "iou[tree]": math.nan})]], [0]),
    ]
    section = training_curves(replace(example_values, trained=folds))
    chart = charts_of(section)["iou of each class, mean of the folds"]
    found = {one.name: list(one.values) for one in chart.series}
    assert abs(found["road"][0] - 0.3) < 1e-12  # type: ignore[operator]
    assert found["tree"] == [0.6]


def test_values_that_are_no_numbers_are_gaps(example_values: PageValues) -> None:
    broken = Epoch(0, 0.01, math.inf, math.nan, {"dice": math.nan}, 10, 1.0)
    section = training_curves(replace(example_values, trained=[TrainedFold(0, "fold 0", [[broken]], [0])]))
    assert [list(one.values) for one in charts_of(section)["dice"].series] == [[None]]


def test_nothing_is_shown_before_an_epoch_is_finished(example_values: PageValues) -> None:
    assert training_curves(example_values) is None
