import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.config.models import Config
from toolkit.core.images.windows import Window
from toolkit.errors import ConfigError, DataError, MissingFileError
from toolkit.files.datasets.images_to_predict import ArrayImages, _named, find_inputs, images_of
from toolkit.files.experiment.fitted import Networks
from toolkit.files.experiment.folder import Experiment
from toolkit.messages import Silent


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_images_are_named_like_their_files(tmp_path: Path) -> None:
    touch(tmp_path, "b.png", "a.b.JPG", "notes.txt", ".hidden.png", "inside/c.png")
    found = find_inputs([tmp_path])
    assert sorted(found.paths) == ["a.b", "b"]
    assert found.left_out == ("notes.txt",)
    assert found.file("a.b") == "a.b.JPG"
    assert not found.unusable


def test_subfolders_are_included_on_request(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "x/a.png", "x/y/a.tif", ".git/a.png", "out/png/a.png")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    found = find_inputs([tmp_path], recursive=True, leave_out=tmp_path / "out")
    assert sorted(found.paths) == ["a", "x/a", "x/y/a"]


class Listening(Silent):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def warn(self, message: str) -> None:
        self.heard.append(message)


def test_earlier_predictions_are_ignored_with_a_warning(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "notes.txt", "x/out/png/a.png", "x/out/predictions.json")
    found = find_inputs([tmp_path], recursive=True)
    assert (sorted(found.paths), found.earlier) == (["a"], ("x/out",))
    listening = Listening()
    found.warn(listening)
    assert listening.heard == [
        f"{tmp_path}: 1 files ignored, not images: notes.txt",
        f"{tmp_path}: 1 folders ignored, they hold predictions: x/out",
    ]
    assert sorted(find_inputs([tmp_path / "x" / "out"], recursive=True).paths) == ["png/a"]  # it was named


def test_files_that_differ_only_in_their_extension_keep_it(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "a.jpg", "a.png.png", "b.png")
    assert sorted(find_inputs([tmp_path]).paths) == ["a.jpg", "a.png", "a.png.png", "b"]


ENDINGS = st.lists(st.sampled_from([".png", ".jpg"]), min_size=1, max_size=3).map("".join)
NAMES = st.tuples(st.sampled_from(["a", "b"]), ENDINGS).map("".join)


@given(st.lists(NAMES, unique=True, min_size=1))
def test_every_file_has_a_unique_name(names: list[str]) -> None:
    found = _named(Path("root"), [Path("root") / name for name in names])
    assert sorted(path.name for path in found.paths.values()) == sorted(names)


def test_a_single_file_is_used_whatever_its_extension(tmp_path: Path) -> None:
    touch(tmp_path, "scan.dat", "other.png")
    assert find_inputs([tmp_path / "scan.dat"]).paths == {"scan.dat": tmp_path / "scan.dat"}


def test_names_that_no_output_file_can_have_are_reported(tmp_path: Path) -> None:
    touch(tmp_path, "x" * 220 + ".png", "a.png")
    (tmp_path / os.fsdecode(b"\xff.png")).touch()
    found = find_inputs([tmp_path])
    assert list(found.paths) == ["a"]
    assert found.unusable == {"?.png": "its name is not UTF-8", "x" * 220 + ".png": "its name is longer than 200 bytes"}


def test_folders_without_images_are_reported(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no folder or file"):
        find_inputs([tmp_path / "nowhere"])
    with pytest.raises(MissingFileError, match="no folder of images is named"):
        find_inputs([])
    touch(tmp_path, "deep/a.png")
    with pytest.raises(DataError, match="holds no file that ends in") as told:
        find_inputs([tmp_path])
    assert "--recursive" in told.value.advice
    with pytest.raises(DataError, match="is the folder of the images"):
        find_inputs([tmp_path / "deep"], leave_out=tmp_path / "deep")


def test_channels_may_be_in_several_folders(tmp_path: Path) -> None:
    touch(tmp_path, "red/a.png", "red/b.png", "blue/a.tif", "blue/c.png", "blue/notes.txt")
    red, blue = tmp_path / "red", tmp_path / "blue"
    found = find_inputs([red, blue])
    assert list(found.paths) == ["a"]
    assert found.files("a") == [red / "a.png", blue / "a.tif"]
    assert found.unusable == {
        f"{red}/b.png": f"has no file of the same name in {blue}",
        f"{blue}/c.png": f"has no file of the same name in {red}",
    }
    assert found.left_out == (f"{blue}/notes.txt",)


def test_images_are_read_like_those_of_the_experiment(tmp_path: Path) -> None:
    grey = np.array([[0, 1000], [2000, 4000]], np.uint16)
    for name in ("red", "blue"):
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "a.png"), grey if name == "red" else grey[::-1])
    inputs = find_inputs([tmp_path / "red", tmp_path / "blue"])
    data = {"images": ("red", "blue"), "masks": "masks", "value_range": (0.0, 4000.0)}
    images = images_of(inputs, networks(data, 2))
    assert images.read("a")[..., 0].tolist() == [[0, 64], [128, 255]]
    assert images.read("a")[..., 1].tolist() == [[128, 255], [0, 64]]
    with pytest.raises(ConfigError, match=r"from 1 folder; received 2"):
        images_of(inputs, networks(data | {"images": "red"}, 2))
    with pytest.raises(ConfigError, match=r"from 2 folders; received 1"):
        images_of(find_inputs([tmp_path / "red"]), networks(data, 2))


def networks(data: dict[str, Any], channels: int) -> Networks:
    config = Config.model_validate({"data": data, "shape": (32, 32, channels), "stages": ({"epochs": 1},)})
    return Networks(Experiment(Path("exp042")), config, "float32", (), "none")


def test_arrays_are_images_too() -> None:
    array = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    images = ArrayImages({"b": array, "a": array[:, :2]})
    assert images.ids == ("a", "b")
    assert images.size("b") == (2, 4)
    assert np.array_equal(images.window("b", Window(1, 2, 1, 2)), array[1:, 2:])
    assert images.only({"a"}).ids == ("a",)
    assert images.content("b") == array.tobytes()


def test_an_experiment_with_channels_in_files_of_their_own_predicts_no_single_files(tmp_path: Path) -> None:
    touch(tmp_path, "a.png")
    data = {"images": "red", "masks": "m", "image_name": "{id}/{channel}.png"}
    with pytest.raises(ConfigError, match="exp042 reads each channel of an image from a file of its own") as told:
        images_of(find_inputs([tmp_path]), networks(data, 2))
    assert "tk submit exp042" in told.value.advice
