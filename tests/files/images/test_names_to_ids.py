from pathlib import Path

import pytest

from toolkit.errors import DataError, MissingFileError, NothingToLearnError
from toolkit.files.images.names_to_ids import files_by_id, named_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (
        "a.png", "a_label.png", "b_label.png", ".c_label.png", "d[1]_label.png", "e_label.PNG", "x/a.png", "y/a.png",
        "p/images/p.png", "p/masks/1.png", "p/masks/2.png", "q/images/r.png",
    ):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "ids"),
    [
        ("{id}_label.png", {"a", "b", "d[1]"}),
        ("{id}.png", {"a", "a_label", "b_label", "d[1]_label"}),
        ("{id}_*", {"a", "b", "d[1]", "e"}),
        ("d[{id}]_label.png", {"1"}),
        ("{id}/images/{id}.png", {"p"}),
        ("{id}/images/*.png", {"p", "q"}),
    ],
)
def test_a_pattern_names_the_id(folder: Path, pattern: str, ids: set[str]) -> None:
    assert set(files_by_id(folder, (".png",), "key", pattern)) == ids


def test_a_pattern_names_the_class_and_gathers_files(folder: Path) -> None:
    found = named_files(folder, (), "key", "{class}/{id}.png")
    assert {image_id: [name for name, _ in files] for image_id, files in found.items()} == {"a": ["x", "y"]}
    several = named_files(folder, (), "key", "{id}/masks/*.png")
    assert [path.name for _, path in several["p"]] == ["1.png", "2.png"]


def test_two_files_with_one_id_are_refused(folder: Path) -> None:
    with pytest.raises(DataError, match=r"key: 1 ids have several files in .*\n  a: x/a\.png and y/a\.png"):
        files_by_id(folder, (), "key", "*/{id}.png")


def test_missing_files_are_reported(folder: Path) -> None:
    with pytest.raises(NothingToLearnError, match=r"holds no file that matches \{id\}_mask\.png"):
        files_by_id(folder, (), "key", "{id}_mask.png")
    with pytest.raises(MissingFileError, match="cannot read"):
        files_by_id(folder / "nowhere", (), "key", "{id}.png")


def test_advice_names_the_pattern_that_belongs_to_a_folder(folder: Path) -> None:
    with pytest.raises(DataError) as twice:
        files_by_id(folder, (), "data.images", "*/{id}.png")
    assert twice.value.advice.endswith('image_name: "{id}.png"')
    with pytest.raises(NothingToLearnError) as inside:
        files_by_id(folder / "p", (".png",), "data.masks")
    assert inside.value.advice.endswith('To read all of them, write mask_name: "*/{id}.png"')
