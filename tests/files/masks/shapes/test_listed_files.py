from pathlib import Path

import pytest

from toolkit.errors import DataError
from toolkit.files.masks.shapes.listed_files import files_of_names, ids_of_paths, images_in_folders


def found(names: list[str], *files: str) -> dict[str, str]:
    return files_of_names(names, {file: Path("/data") / file for file in files}, "masks")


def test_names_mean_the_file_with_their_folders() -> None:
    names = ["set/cam1/07.jpg", "cam2\\07.jpg"]
    assert found(names, "cam1/07.jpg", "cam2/07.jpg") == dict(zip(names, ("cam1/07.jpg", "cam2/07.jpg"), strict=True))


def test_a_folder_that_a_name_does_not_have_is_not_needed() -> None:
    assert found(["batch1/a.jpg", "b.jpg"], "a.jpg", "x/b.jpg") == {"batch1/a.jpg": "a.jpg", "b.jpg": "x/b.jpg"}


def test_of_names_in_several_folders_the_one_of_the_given_folder_counts() -> None:
    files = {"07": Path("/data/images/cam1/07.jpg")}
    assert files_of_names(["cam2/07.jpg", "cam1/07.jpg"], files, "masks") == {"cam1/07.jpg": "07"}


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("a", "a.jpg"),
        ("a.png", "a.jpg"),
        ("v1.2", "v1.2.png"),
        ("../../data/local-files/?d=images%2Fmy%20cat.jpg", "my cat.jpg"),
        ("https://host/bucket/my%20cat.jpg", "my cat.jpg"),
        ("/data/upload/3/0a1b2c3d-cat.jpg", "cat.jpg"),
        ("0a1b2c3d-cat.jpg", "0a1b2c3d-cat.jpg"),
        ("Zelle_a\u0308.png", "Zelle_\u00e4.png"),
        ("100%.png", "100%.png"),
    ],
)
def test_spellings_of_tools_are_understood(name: str, file: str) -> None:
    assert found([name], file) == {name: file}


def test_names_without_a_file_are_left_out() -> None:
    assert found(["b.jpg", "..", "/"], "a.jpg") == {}


def test_doubtful_names_are_refused_with_the_folder_to_name() -> None:
    with pytest.raises(DataError, match=r"07\.jpg may be /data/cam1/07\.jpg and /data/cam2/07\.jpg") as told:
        found(["07.jpg"], "cam1/07.jpg", "cam2/07.jpg")
    assert "images: /data/cam1" in told.value.advice
    with pytest.raises(DataError, match=r"x/07\.jpg and y/07\.jpg are the same image"):
        found(["x/07.jpg", "y/07.jpg"], "07.jpg")


def test_ids_have_the_folder_only_where_names_recur() -> None:
    root = Path("/data")
    assert list(ids_of_paths([root / "a/1.png", root / "b/2.png"], root)) == ["1", "2"]
    assert list(ids_of_paths([root / "a/1.png", root / "b/c/1.png", root / "2.png"], root)) == ["a_1", "b_c_1", "2"]
    several = [root / "a_b/1.png", root / "a/b/1.png", root / "1.png"]
    assert list(ids_of_paths(several, root)) == ["a_b__1", "a__b__1", "1"]
    with pytest.raises(DataError, match="several files have the same id: 1"):
        ids_of_paths([root / "1.png", root / "1.jpg"], root)


def test_images_of_folders_that_are_not_named_are_left_out(tmp_path: Path) -> None:
    for name in ("train/1.png", "train/2.png", "val/3.png", ".hidden/1.png", "masks/1.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "val/again").symlink_to(tmp_path)
    found = images_in_folders(tmp_path, ["train/1.png", "3.png"], "masks")
    assert found == {"1": tmp_path / "train/1.png", "2": tmp_path / "train/2.png", "3": tmp_path / "val/3.png"}
