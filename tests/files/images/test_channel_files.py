from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from toolkit.errors import DataError, NothingToLearnError
from toolkit.files.images.channel_files import FileNames, files_of_channels, in_order
from toolkit.files.images.decoding import UnreadableImageError
from toolkit.files.images.image_files import StackedImages, find_image_files

Draw = Callable[..., Path]
PATTERN = "{id}/band_{channel}.png"


def layers(draw: Draw, *names: str, image: str = "a") -> None:
    for name in names:
        draw(f"{image}/band_{name}.png", np.full((3, 5), int(name), np.uint8))


def test_channels_stand_in_the_order_of_their_numbers(draw: Draw, tmp_path: Path) -> None:
    assert in_order(["10", "2", "B8A", "B8", "B11"]) == ["2", "10", "B8", "B8A", "B11"]
    layers(draw, "10", "2", "9")
    images = find_image_files([tmp_path], "data.images", 3, pattern=PATTERN)
    assert isinstance(images, StackedImages)
    assert images.ids == ("a",)
    assert images.read("a")[0, 0].tolist() == [2, 9, 10]
    assert images.origin == str(tmp_path)


def test_channels_are_chosen_by_name_and_planes_by_number(tmp_path: Path) -> None:
    values = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    for image in ("a", "b"):
        (tmp_path / image).mkdir()
        for band in (8, 9, 11):
            np.save(tmp_path / image / f"band_{band:02d}.npy", values + 10 * band)
    names = FileNames(channels=("11", "08"), planes=(3, 0))
    images = find_image_files([tmp_path], "data.images", 4, pattern="{id}/band_{channel}.npy", names=names)
    assert images.read("a")[0, 0].tolist() == [113, 110, 83, 80]
    every = find_image_files([tmp_path], "data.images", 12, pattern="{id}/band_{channel}.npy")
    assert images.content("a") != every.content("a")
    single = find_image_files([tmp_path / "a"], "data.images", 1, pattern="{id}_11.npy", names=FileNames(planes=(2,)))
    assert single.read("band")[0].ravel().tolist() == [112, 116, 120]


def test_a_plane_that_is_not_there_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((4, 5, 2), np.uint8))
    images = find_image_files([tmp_path], "data.images", 1, names=FileNames(planes=(2,)))
    with pytest.raises(UnreadableImageError, match="has the channels 0 to 1; planes asks for 2"):
        images.read("a")


def test_ranges_are_given_for_the_planes_that_are_used(tmp_path: Path) -> None:
    for band in (1, 2):
        np.save(tmp_path / f"a_{band}.npy", np.full((2, 3, 4), 10.0 * band, np.float32))
    names = FileNames(planes=(0,))
    ranges = ((0.0, 10.0), (0.0, 200.0))
    images = find_image_files([tmp_path], "key", 2, pattern="{id}_{channel}.npy", names=names, ranges=ranges)
    assert images.read("a")[0, 0].tolist() == [255, 26]


def test_a_lacking_channel_is_told_with_its_image(draw: Draw, tmp_path: Path) -> None:
    layers(draw, "1", "2")
    layers(draw, "1", image="b")
    with pytest.raises(DataError, match=r"(?s)data.images: 1 of 2 images in .* lack channels:.*  b: 2"):
        files_of_channels(tmp_path, "data.images", PATTERN, FileNames())
    found = files_of_channels(tmp_path, "data.images", PATTERN, FileNames(channels=("1",)))
    assert [sorted(paths) for _, paths in found] == [["a", "b"]]


def test_an_unknown_channel_and_no_file_are_refused(draw: Draw, tmp_path: Path) -> None:
    layers(draw, "1", "2")
    with pytest.raises(DataError, match=r"there is no channel 3 in .*; the channels of .* are 1, 2"):
        files_of_channels(tmp_path, "data.images", PATTERN, FileNames(channels=("1", "3")))
    with pytest.raises(NothingToLearnError, match="holds no file that matches"):
        files_of_channels(tmp_path, "data.images", "{id}/{channel}.tif", FileNames())


def test_two_files_of_a_channel_are_refused(draw: Draw, tmp_path: Path) -> None:
    draw("x/a/1.png")
    draw("y/a/1.png")
    with pytest.raises(DataError, match="the channel 1 of a has two files"):
        files_of_channels(tmp_path, "data.images", "*/{id}/{channel}.png", FileNames())
