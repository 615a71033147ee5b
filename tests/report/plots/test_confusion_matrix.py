"""Covers toolkit/report/plots/confusion_matrix.py and figures.py."""

from pathlib import Path

import numpy as np
import pytest

from toolkit.core.metrics.confusion import Confusion
from toolkit.files.images.decoding import read_image
from toolkit.report.plots.confusion_matrix import confusion_picture

pytestmark = pytest.mark.train  # a picture takes a second


def confusion(count: int) -> Confusion:
    counts = np.random.default_rng(0).integers(0, 50, (count, count)) + 900 * np.eye(count, dtype=np.int64)
    return Confusion(counts, counts.sum(axis=1))


def drawn(path: Path, found: Confusion, title: str = "exp", subtitle: str = "dice 0.5") -> np.ndarray:
    confusion_picture(path, found, [f"class{number}" for number in range(len(found.pixels))], title, subtitle)
    return np.asarray(read_image(path))


@pytest.mark.parametrize("count", [2, 30])
def test_the_diagonal_is_dark_and_the_rest_is_pale(tmp_path: Path, count: int) -> None:
    picture = drawn(tmp_path / "confusion.png", confusion(count))
    assert picture.shape[2] == 3
    assert max(picture.shape) < 2600
    blue = (picture[..., 2].astype(int) - picture[..., 0] > 60).mean()
    assert blue > 0.3 / count


def test_classes_without_a_pixel_are_grey_and_long_words_fit(tmp_path: Path) -> None:
    found = confusion(3)
    empty = Confusion(found.counts * [[1], [0], [1]], found.pixels * [1, 0, 1])
    plain, grey = drawn(tmp_path / "a.png", found), drawn(tmp_path / "b.png", empty)
    colour = (grey == [0xEC, 0xEE, 0xF1]).all(axis=-1)
    assert colour.mean() > 0.1 > (plain == [0xEC, 0xEE, 0xF1]).all(axis=-1).mean()
    names = ["a very long name of a class of something", "b", "c"]
    confusion_picture(tmp_path / "c.png", found, names, "long " * 60, "words " * 90)
    assert read_image(tmp_path / "c.png").shape[1] == plain.shape[1]


def ink(picture: np.ndarray) -> int:
    return int((picture.max(axis=2) < 160).sum())


@pytest.mark.parametrize("count", [4, 12])
def test_zeros_are_written_as_in_the_table(tmp_path: Path, count: int) -> None:
    """A cell with a zero has as much ink as one with a small number, not none."""
    right = Confusion(900 * np.eye(count, dtype=np.int64), np.full(count, 900))
    blank = Confusion(right.counts, np.where(np.arange(count) == 0, 900, 0))
    written, missing = drawn(tmp_path / "a.png", right), drawn(tmp_path / "b.png", blank)
    assert ink(written) > ink(missing) + 30 * count * (count - 1)


@pytest.mark.parametrize("count", [3, 30, 70])
def test_the_colours_have_a_scale_for_any_number_of_classes(tmp_path: Path, count: int) -> None:
    nothing = Confusion(np.zeros((count, count), np.int64), np.zeros(count, np.int64))
    picture = drawn(tmp_path / "confusion.png", nothing)
    blue = picture[..., 2].astype(int) - picture[..., 0] > 60
    assert blue.sum(axis=0).max() > 150  # only the scale can be blue


def test_the_same_matrix_gives_the_same_file(tmp_path: Path) -> None:
    for name in ("one.png", "other.png"):
        drawn(tmp_path / name, confusion(4))
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "other.png").read_bytes()
