from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from toolkit.config.data.data import SourceKeys
from toolkit.core.masks.labels import BINARY, Classes
from toolkit.errors import DataError
from toolkit.files.data.finding import find_source
from toolkit.files.data.sources import LabelledImages

Find = Callable[..., LabelledImages]
BOTH = Classes(("cell", "debris"), "sigmoid", ((), ()))
SQUARE = "0.125 0.25 0.375 0.25 0.375 0.5 0.125 0.5"
"""Columns 2 to 6 and rows 3 to 6 of 12×16."""


@pytest.fixture
def find(draw: Callable[..., Path], tmp_path: Path) -> Find:
    def find(text: str, classes: Classes = BINARY, names: str = "") -> LabelledImages:
        draw("images/a.png", np.zeros((12, 16), np.uint8))
        (tmp_path / "labels").mkdir(exist_ok=True)
        (tmp_path / "labels/a.txt").write_text(text)
        if names:
            (tmp_path / "data.yaml").write_text(names)
        return find_source(SourceKeys(images=tmp_path / "images", masks=tmp_path / "labels"), classes, 3, "data")

    return find


def test_polygons_are_shares_of_the_sides_and_filled_with_their_outline(find: Find) -> None:
    expected = np.zeros((12, 16), np.uint8)
    expected[3:7, 2:7] = 1
    np.testing.assert_array_equal(find(f"0 {SQUARE}\n\n").read_labels("a"), expected)
    assert not find("").read_labels("a").any()


@pytest.mark.parametrize("names", ["names: [cell, debris]", "names:\n  0: cell\n  1: debris\n"])
def test_classes_have_the_names_of_the_yaml_file(find: Find, names: str) -> None:
    data = find(f"0 {SQUARE}\n1 0 0 1 0 1 1 0 1", BOTH, names)
    labels = data.read_labels("a")
    assert labels[4, 4] == 3
    assert labels[0, 0] == 2
    objects = data.read_objects("a")
    assert objects is not None
    assert np.unique(objects).tolist() == [2]  # the second lies on top


def test_a_file_beside_the_labels_may_name_the_classes(find: Find, tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/classes.txt").write_text("debris\ncell\n")
    assert find(f"0 {SQUARE}", BOTH).read_labels("a").max() == 2
    assert list(find(f"0 {SQUARE}", BOTH).masks.ids) == ["a"]


def test_without_names_the_numbers_are_the_names(find: Find) -> None:
    assert find(f"1 {SQUARE}", Classes(("0", "1"), "sigmoid", ((), ()))).read_labels("a").max() == 2
    with pytest.raises(DataError, match="no file says which number of the labels stands for cell, debris") as told:
        find(f"1 {SQUARE}", BOTH)
    assert "classes.txt" in told.value.advice
    with pytest.raises(DataError, match="the labels have no class cell; their classes are a, debris"):
        find(f"1 {SQUARE}", BOTH, "names: [a, debris]")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("0 0.5 0.5 0.2 0.2", r"a\.txt:1 has a box, not a polygon"),
        (f"0 {SQUARE}\n0 10 20 30 20 30 40", r"a\.txt:2 has a point far outside the image"),
        ("0 0.1 0.1 0.2 0.2", "has a box"),
        ("0 0.1 0.1 0.2 0.2 0.3", "needs the number of a class and at least three points"),
        ("0.5 0.1 0.1 0.2 0.2 0.3 0.3", "needs the number of a class"),
        ("0 0.1 0.1 nan 0.2 0.3 0.3", "far outside"),
        ("cell 0.1 0.1 0.2 0.2 0.3 0.3", "is no line of numbers: 'cell 0"),
    ],
)
def test_lines_that_are_no_polygons_are_refused(find: Find, text: str, told: str) -> None:
    with pytest.raises(DataError, match=told):
        find(text).read_labels("a")


def test_keys_of_mask_files_do_not_apply(draw: Callable[..., Path], tmp_path: Path, find: Find) -> None:
    find("")
    keys = SourceKeys(images=tmp_path / "images", masks=tmp_path / "labels", ignore=255)
    with pytest.raises(DataError, match="holds polygons in text files; ignore does not apply"):
        find_source(keys, BINARY, 3, "data")
