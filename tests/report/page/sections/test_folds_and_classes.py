from dataclasses import replace
from typing import Any

import numpy as np

from toolkit.files.experiment.history import Epoch
from toolkit.report.colours import GREY, hex_of, line_colour
from toolkit.report.page.blocks import Chart, Folded, HeatTable, Prose, Section, TableBlock
from toolkit.report.page.sections.folds_and_classes import folds_and_classes
from toolkit.report.page.sections.training_curves import training_curves
from toolkit.report.page.values import Calibration, PageValues
from toolkit.report.plots.curve_lines import TrainedFold


def scores(value: float | None) -> dict[str, Any]:
    return dict.fromkeys(("precision", "recall", "f1", "iou"), value)


EVALUATION = {
    "score": 0.5,
    "recipe_text": "threshold 0.500",
    "recipe_source": "untuned recipe",
    "classes": {
        name: {"pooled": scores(value), "per_image": scores(value), "images": 3, "found": 2}
        for name, value in (("road", 0.9), ("tree", 0.1), ("car", 0.1), ("sky", None))
    },
    "confusion": {"names": ["a", "b"], "shares": [[0.25, 0.75], [None, None]]},
    "sizes": [
        {"low": 0, "high": 0, "images": 4, "score": 1.0, "precision": None, "recall": None, "left_empty": 4},
        {"low": 10, "high": 2000, "images": 4, "score": 0.5, "precision": 0.5, "recall": 0.5, "left_empty": 0},
    ],
}


def section_of(values: PageValues) -> Section:
    section = folds_and_classes(values)
    assert section is not None
    return section


def test_folds_have_their_spread_and_classes(example_values: PageValues) -> None:
    by_class = [{"road": 0.5}, {"road": None}, {}]
    table = section_of(replace(example_values, folds_by_class=by_class, tuned=None)).blocks[0]
    assert isinstance(table, TableBlock)
    assert table.rows[0] == ("fold 0", "0.7000", "0.5000")
    assert table.rows[2] == ("fold 2", "–", "–")
    assert table.rows[3][:2] == ("all images", "0.6500")
    assert table.note == "Standard deviation over the folds, untuned: 0.0707. Classes: untuned."


def test_folds_have_their_tuned_and_nested_scores(example_values: PageValues) -> None:
    table = section_of(example_values).blocks[0]
    assert isinstance(table, TableBlock)
    assert table.columns == ("", "untuned", "tuned", "nested")
    assert table.rows[:3] == [
        ("fold 0", "0.7000", "0.7200", "0.7100"),
        ("fold 1", "0.6000", "0.6200", "–"),
        ("fold 2", "–", "–", "–"),
    ]
    assert table.rows[3][3] == "0.7100"
    assert example_values.tuned is not None
    for changed in ({"fold_scores": ()}, {"metric": "iou"}):
        tuned = replace(example_values.tuned, **changed)  # type: ignore[arg-type]
        table = section_of(replace(example_values, tuned=tuned)).blocks[0]
        assert isinstance(table, TableBlock)
        assert table.columns == ("", "untuned")


def test_the_worst_classes_are_named(example_values: PageValues) -> None:
    blocks = section_of(replace(example_values, evaluation=EVALUATION)).blocks
    classes = blocks[1]
    assert isinstance(classes, TableBlock)
    assert classes.note == "Lowest IoU: tree, car."
    assert classes.marked == {1, 2}
    (heat,) = [block for block in blocks if isinstance(block, HeatTable)]
    assert heat.texts == [["25.0%", "75.0%"], ["–", "–"]]
    sizes = [block for block in blocks if isinstance(block, TableBlock)][-1]
    assert [row[0] for row in sizes.rows] == ["none", "10 – 2,000"]


def test_calibration_is_the_share_of_true_pixels(example_values: PageValues) -> None:
    pixels, true = np.full(10, 4), np.arange(10) % 5
    pixels[9] = 0
    (chart,) = [
        block
        for block in section_of(replace(example_values, calibration=[Calibration("road", pixels, true)])).blocks
        if isinstance(block, Chart)
    ]
    assert list(chart.series[1].values) == [0, 0.25, 0.5, 0.75, 1, 0, 0.25, 0.5, 0.75, None]


def test_a_class_has_one_colour_everywhere(example_values: PageValues) -> None:
    names = ("sky", "road", "tree")
    scores = {f"dice[{name}]": 0.5 for name in names}
    epoch = Epoch(0, 0.01, 0.5, 0.5, {"dice": 0.5, **scores}, 10, 1.0)
    counts = np.ones(10, np.int64)
    values = replace(
        example_values,
        classes=names,
        activation="softmax",
        calibration=[Calibration(name, counts, counts) for name in names[1:]],
        trained=[TrainedFold(0, "fold 0", [[epoch]], [0])],
    )
    training = training_curves(values)
    assert training is not None
    found: dict[str, set[str]] = {name: set() for name in names}
    for section in (section_of(values), training):
        blocks = [
            *section.blocks,
            *(one for block in section.blocks if isinstance(block, Folded) for one in block.blocks),
        ]
        for one in (one for block in blocks if isinstance(block, Chart) for one in block.series if one.name in found):
            found[one.name].add(one.colour)
    assert found == {"sky": {hex_of(GREY)}, "road": {hex_of(line_colour(0))}, "tree": {hex_of(line_colour(1))}}


def test_the_class_that_counts_as_background_is_named(example_values: PageValues) -> None:
    values = replace(example_values, classes=("sky", "road", "tree"), activation="softmax", evaluation=EVALUATION)
    tables = [block for block in section_of(values).blocks if isinstance(block, TableBlock)]
    assert tables[-1].title == "Images by the size of their pixels of all classes but sky"


def test_what_is_missing_is_told(example_values: PageValues) -> None:
    values = replace(example_values, missing={"evaluation": "the masks are gone"})
    assert Prose("the masks are gone") in section_of(values).blocks
    assert folds_and_classes(replace(values, score=None)) is None
