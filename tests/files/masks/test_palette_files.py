"""Covers toolkit/files/masks/palette_files.py and mask_files.py with palettes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toolkit.config.data.classes import task_classes
from toolkit.config.data.data import SourceKeys
from toolkit.core.masks.labels import Activation
from toolkit.errors import DataError
from toolkit.files.data.finding import find_source
from toolkit.files.data.sources import LabelledImages
from toolkit.files.masks import palette_files
from toolkit.files.masks.palette_files import palette_verdict

SIZE = (12, 18)
WHITE_FIRST, BLACK_FIRST = [255, 255, 255, 0, 0, 0], [0, 0, 0, 255, 255, 255]


def disc(number: int) -> np.ndarray:
    rows, columns = np.indices(SIZE)
    return (rows - 6) ** 2 + (columns - 5 - number) ** 2 < 16


def save(path: Path, indices: np.ndarray, colours: list[int]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(indices.astype(np.uint8))
    image.putpalette(colours)
    image.save(path)
    return path


def find(
    folder: Path, names: tuple[str, ...] = ("foreground",), activation: Activation = "sigmoid", **keys: object
) -> LabelledImages:
    for number in range(4):
        (folder / "images").mkdir(exist_ok=True)
        Image.fromarray(np.full(SIZE, number, np.uint8)).save(folder / f"images/{number}.png")
    source = SourceKeys.model_validate({"images": folder / "images", "masks": folder / "masks", **keys})
    return find_source(source, task_classes(names, activation, source), 3, "data")


@pytest.mark.parametrize("ending", ["png", "gif", "bmp", "tif"])
def test_white_first_is_read_as_it_is_shown(tmp_path: Path, ending: str) -> None:
    for number in range(4):
        save(tmp_path / f"masks/{number}.{ending}", ~disc(number), WHITE_FIRST)
    data = find(tmp_path)
    for number in range(4):
        np.testing.assert_array_equal(data.read_labels(str(number)) == 1, disc(number))
    as_stored = find(tmp_path, palette="index")
    np.testing.assert_array_equal(as_stored.read_labels("0") == 1, ~disc(0))


def test_palettes_that_differ_are_read_as_they_are_shown(tmp_path: Path) -> None:
    for number in range(4):
        mask = np.ones(SIZE, np.bool_) if number == 0 else disc(number)
        (tmp_path / "masks").mkdir(exist_ok=True)
        Image.fromarray(mask * np.uint8(255)).save(tmp_path / f"masks/{number}.gif")  # white comes first in full masks
    data = find(tmp_path)
    assert (data.read_labels("0") == 1).all()
    np.testing.assert_array_equal(data.read_labels("2") == 1, disc(2))


def test_one_palette_for_all_is_an_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    voc = [0, 0, 0, 128, 0, 0, 0, 128, 0]
    for number in range(4):  # optimised files leave out the last colours
        save(tmp_path / f"masks/{number}.png", disc(number) * (1 + number % 2), voc[: 6 + 3 * (number % 2)])
    monkeypatch.setattr(palette_files, "read_stored", None)  # headers are enough
    data = find(tmp_path, ("background", "cat", "dog"), "softmax")
    np.testing.assert_array_equal(data.read_labels("1"), disc(1) * np.uint8(2))
    assert palette_verdict(sorted((tmp_path / "masks").iterdir())).reading == "index"


def test_palettes_that_leave_it_open_are_refused_with_the_lines_to_write(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for number in range(4):
        colours = random.integers(1, 255, 9).tolist()
        save(tmp_path / f"masks/{number}.png", disc(number) * 2, colours)
    with pytest.raises(DataError, match="palettes differ from file to file") as told:
        find(tmp_path).read_labels("0")
    for line in ("palette: index", "palette: colors", "colors: {background:"):
        assert line in told.value.advice
    np.testing.assert_array_equal(find(tmp_path, palette="index").read_labels("1") == 1, disc(1))
    assert (find(tmp_path, palette="colors").read_labels("1") == 1).all()


def test_numbers_of_classes_are_not_taken_from_colours(tmp_path: Path) -> None:
    for number in range(4):
        red_first = [255, 0, 0, 0, 0, 0] if number % 2 else [0, 0, 0, 255, 0, 0]
        save(tmp_path / f"masks/{number}.png", disc(number) ^ (number % 2 == 1), red_first)
    with pytest.raises(DataError, match="palettes differ"):
        find(tmp_path, ("background", "red"), "softmax").read_labels("0")
    np.testing.assert_array_equal(find(tmp_path).read_labels("1") == 1, disc(1))
    colours = {"background": (0, 0, 0), "red": (255, 0, 0)}
    named = find(tmp_path, ("background", "red"), "softmax", colors=colours)
    np.testing.assert_array_equal(named.read_labels("3") == 1, disc(3))


def test_the_reading_of_palettes_is_part_of_digests(tmp_path: Path) -> None:
    for number in range(4):
        save(tmp_path / f"masks/{number}.png", ~disc(number), WHITE_FIRST)
    shown, stored = find(tmp_path).masks, find(tmp_path, palette="index").masks
    assert shown.content("0") != stored.content("0") == (tmp_path / "masks/0.png").read_bytes()


def test_files_of_each_class_are_read_alike(tmp_path: Path) -> None:
    for number in range(4):
        save(tmp_path / f"masks/cell/{number}.png", ~disc(number), WHITE_FIRST)
        save(tmp_path / f"masks/dirt/{number}.png", disc(number) * 0, BLACK_FIRST)
    data = find(tmp_path, ("cell", "dirt"), mask_name="{class}/{id}.png")
    np.testing.assert_array_equal(data.read_labels("2") == 1, disc(2))
