import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import DataError, MissingFileError
from toolkit.files.inputs import ArrayImages, _named, find_inputs


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_images_are_named_like_their_files(tmp_path: Path) -> None:
    touch(tmp_path, "b.png", "a.b.JPG", "notes.txt", ".hidden.png", "inside/c.png")
    found = find_inputs(tmp_path)
    assert sorted(found.paths) == ["a.b", "b"]
    assert found.left_out == ("notes.txt",)
    assert found.file("a.b") == "a.b.JPG"
    assert not found.unusable


def test_folders_inside_count_if_asked(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "x/a.png", "x/y/a.tif", ".git/a.png", "out/png/a.png")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    found = find_inputs(tmp_path, recursive=True, leave_out=tmp_path / "out")
    assert sorted(found.paths) == ["a", "x/a", "x/y/a"]


def test_files_that_differ_in_their_ending_keep_it(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "a.jpg", "a.png.png", "b.png")
    assert sorted(find_inputs(tmp_path).paths) == ["a.jpg", "a.png", "a.png.png", "b"]


ENDINGS = st.lists(st.sampled_from([".png", ".jpg"]), min_size=1, max_size=3).map("".join)
NAMES = st.tuples(st.sampled_from(["a", "b"]), ENDINGS).map("".join)


@given(st.lists(NAMES, unique=True, min_size=1))
def test_every_file_has_a_name_of_its_own(names: list[str]) -> None:
    found = _named(Path("root"), [Path("root") / name for name in names], ())
    assert sorted(path.name for path in found.paths.values()) == sorted(names)


def test_one_file_is_taken_whatever_its_ending(tmp_path: Path) -> None:
    touch(tmp_path, "scan.dat", "other.png")
    assert find_inputs(tmp_path / "scan.dat").paths == {"scan.dat": tmp_path / "scan.dat"}


def test_names_that_no_file_can_be_written_under_are_told(tmp_path: Path) -> None:
    touch(tmp_path, "x" * 220 + ".png", "a.png")
    (tmp_path / os.fsdecode(b"\xff.png")).touch()
    found = find_inputs(tmp_path)
    assert list(found.paths) == ["a"]
    assert found.unusable == {"?.png": "its name is not UTF-8", "x" * 220 + ".png": "its name is longer than 200 bytes"}


def test_nothing_to_predict_is_told(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no folder or file"):
        find_inputs(tmp_path / "nowhere")
    touch(tmp_path, "deep/a.png")
    with pytest.raises(DataError, match="itself holds no file that ends in") as told:
        find_inputs(tmp_path)
    assert "--recursive" in told.value.advice
    with pytest.raises(DataError, match="holds the images themselves"):
        find_inputs(tmp_path / "deep", leave_out=tmp_path / "deep")


def test_arrays_are_images_too() -> None:
    array = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    images = ArrayImages({"b": array, "a": array[:, :2]})
    assert images.ids == ("a", "b")
    assert images.size("b") == (2, 4)
    assert np.array_equal(images.window("b", 1, 2, 1, 2), array[1:, 2:])
    assert images.only({"a"}).ids == ("a",)
    assert images.content("b") == array.tobytes()
