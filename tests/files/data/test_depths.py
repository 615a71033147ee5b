from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

from toolkit.errors import DataError
from toolkit.files.data.depths import check_depths
from toolkit.files.images.image_files import find_image_files
from toolkit.messages import Progress, Silent


class Listening(Silent):
    def __init__(self) -> None:
        self.told: list[str] = []

    def warn(self, text: str) -> None:
        self.told.append(text)


def write(folder: Path, kind: type, *highs: float) -> Path:
    folder.mkdir()
    for number, high in enumerate(highs):
        tifffile.imwrite(folder / f"{number}.tif", np.array([[high / 4, high / 2], [high, high / 3]], kind))
    return folder


@pytest.mark.parametrize("name", ["tif", "png", "npy", "npz"])
def test_16_bits_of_which_few_are_used_are_told_with_the_line_to_type(tmp_path: Path, name: str) -> None:
    for number, high in enumerate((100, 4095)):
        pixels = np.full((3, 4, 3), high, np.uint16)
        path = tmp_path / f"{number}.{name}"
        if name in ("npy", "npz"):
            (np.save if name == "npy" else np.savez)(path, pixels)
        else:
            cv2.imwrite(str(path), pixels)
    (tmp_path / "0.txt").write_text("")
    progress = Listening()
    check_depths(find_image_files([tmp_path], "data.images"), "data", progress)
    (told,) = progress.told
    assert "only 16 levels" in told
    assert told.endswith("Add under data: value_range: [100, 4095]")


def test_16_bits_that_are_used_and_8_bits_are_not_worth_a_word(tmp_path: Path) -> None:
    progress: Progress = Listening()
    for folder, kind, high in (("a", np.uint16, 60000), ("b", np.uint8, 3), ("c", bool, 1)):
        check_depths(find_image_files([write(tmp_path / folder, kind, high)], "data.images"), "data", progress)
    narrow = find_image_files([write(tmp_path / "d", np.uint16, 100)], "data.images", ranges=((0, 100),))
    check_depths(narrow, "data", progress)
    assert progress.told == []


@pytest.mark.parametrize("kind", [np.float32, np.int16, np.uint32])
def test_other_numbers_are_refused_with_the_range_of_all_of_them(tmp_path: Path, kind: type) -> None:
    images = find_image_files([write(tmp_path / "a", kind, 8, 1200)], "data.images")
    with pytest.raises(
        DataError, match=rf"data\.images: 2 images of .* of type {kind.__name__}, from 2 to 1200"
    ) as told:
        check_depths(images, "data", Silent())
    assert told.value.advice == "Add under data: value_range: [2, 1200]"
    ranged = find_image_files([tmp_path / "a"], "data.images", 1, ranges=((2, 1200),))
    assert ranged.read("1").max() == 255
    assert ranged.read("0").max() == 1


def test_files_that_cannot_be_read_or_are_no_numbers_are_for_others_to_tell(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\x01\x00v\x00{")
    np.save(tmp_path / "b.npy", np.ones((3, 4), complex))
    np.savez(tmp_path / "c.npz", np.array([["a", "b"]]))
    check_depths(find_image_files([tmp_path], "data.images"), "data", Silent())


def test_a_range_that_no_image_needs_is_told(tmp_path: Path) -> None:
    progress = Listening()
    images = find_image_files([write(tmp_path / "a", np.uint8, 200)], "data.images", ranges=((0, 100),))
    check_depths(images, "data", progress)
    assert progress.told == [f"data.value_range is of no account: all images of {tmp_path / 'a'} have 8 bits"]
