from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

from toolkit.errors import DataError
from toolkit.files.data.bit_depth_warnings import check_bit_depths
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
def test_16_bit_images_with_few_levels_get_a_warning_with_the_line_to_add(tmp_path: Path, name: str) -> None:
    for number, high in enumerate((100, 4095)):
        pixels = np.full((3, 4, 3), high, np.uint16)
        path = tmp_path / f"{number}.{name}"
        if name in ("npy", "npz"):
            (np.save if name == "npy" else np.savez)(path, pixels)
        else:
            cv2.imwrite(str(path), pixels)
    (tmp_path / "0.txt").write_text("")
    progress = Listening()
    check_bit_depths(find_image_files([tmp_path], "data.images"), "data", progress)
    (told,) = progress.told
    assert "only 16 levels" in told
    assert told.endswith("Add under data: value_range: [100, 4095]")


def test_16_bit_images_with_many_levels_and_8_bit_images_get_no_warning(tmp_path: Path) -> None:
    progress: Progress = Listening()
    for folder, kind, high in (("a", np.uint16, 60000), ("b", np.uint8, 3), ("c", bool, 1)):
        check_bit_depths(find_image_files([write(tmp_path / folder, kind, high)], "data.images"), "data", progress)
    narrow = find_image_files([write(tmp_path / "d", np.uint16, 100)], "data.images", ranges=((0, 100),))
    check_bit_depths(narrow, "data", progress)
    assert progress.told == []


@pytest.mark.parametrize("kind", [np.float32, np.int16, np.uint32])
def test_other_types_are_refused_with_the_range_of_all_images(tmp_path: Path, kind: type) -> None:
    images = find_image_files([write(tmp_path / "a", kind, 8, 1200)], "data.images")
    with pytest.raises(
        DataError, match=rf"data\.images: 2 images in .* of type {kind.__name__} with values from 2 to 1200"
    ) as told:
        check_bit_depths(images, "data", Silent())
    assert told.value.advice == "Add under data: value_range: [2, 1200]"
    ranged = find_image_files([tmp_path / "a"], "data.images", 1, ranges=((2, 1200),))
    assert ranged.read("1").max() == 255
    assert ranged.read("0").max() == 1


def test_files_that_cannot_be_read_or_hold_no_numbers_are_skipped(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\x01\x00v\x00{")
    np.save(tmp_path / "b.npy", np.ones((3, 4), complex))
    np.savez(tmp_path / "c.npz", np.array([["a", "b"]]))
    check_bit_depths(find_image_files([tmp_path], "data.images"), "data", Silent())


def test_a_range_that_no_image_needs_gets_a_warning(tmp_path: Path) -> None:
    progress = Listening()
    images = find_image_files([write(tmp_path / "a", np.uint8, 200)], "data.images", ranges=((0, 100),))
    check_bit_depths(images, "data", progress)
    assert progress.told == [f"data.value_range is ignored: all images in {tmp_path / 'a'} have 8 bits"]


def test_channels_in_files_of_their_own_are_told_together(tmp_path: Path) -> None:
    for channel, high in ((1, 100), (2, 4095)):
        np.save(tmp_path / f"a_{channel}.npy", np.full((3, 4), high, np.uint16))
    progress = Listening()
    images = find_image_files([tmp_path], "data.images", 2, pattern="{id}_{channel}.npy")
    check_bit_depths(images, "data", progress)
    (told,) = progress.told
    assert told.startswith(f"1 images in {tmp_path} have 16 bits")
    assert told.endswith("Add under data: value_range: [100, 4095]")
    np.save(tmp_path / "a_2.npy", np.full((3, 4), -7.5, np.float32))
    with pytest.raises(DataError, match=r"1 images in .* values from -7\.5 to 100"):
        check_bit_depths(images, "data", progress)
