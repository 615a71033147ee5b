from pathlib import Path

import pytest

from toolkit.errors import DataError, MissingFileError, NothingToLearnError
from toolkit.files.images.names.names_to_ids import files_by_id, named_files


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


def test_parts_of_a_pattern_make_the_id(folder: Path) -> None:
    found = files_by_id(folder, (), "key", "{part}/{file}.png", template="{file}-{part}")
    assert set(found) == {"a-x", "a-y"}


def test_a_pattern_names_the_channel(folder: Path) -> None:
    found = named_files(folder, (), "key", "{channel}/{id}.png")
    assert [name for name, _ in found["a"]] == ["x", "y"]


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (("p/s/a.png", "q/s/b.png"), ['image_name: "*/s/{id}.png"']),
        (
            ("p/1.png", "p/2.png", "q/1.png", "q/2.png"),
            [
                'image_name: "{id}/1.png", with {channel}',
                'image_id: "{folder}_{file}", image_name: "{folder}/{file}.png"',
            ],
        ),
        (
            ("c/p/s/1.png", "c/q/s/1.png", "d/r/s/1.png", "d/r/s/2.png"),
            ['image_id: "{folder}_{file}", image_name: "*/{folder}/s/{file}.png"'],
        ),
        (("p/1.png", "2.jpg"), []),
        (("p/q/1.png", "p/2.png"), []),
    ],
)
def test_files_in_folders_of_folders_are_told_with_the_lines_that_read_them(
    files: tuple[str, ...], told: list[str], tmp_path: Path
) -> None:
    for name in files:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    with pytest.raises(NothingToLearnError) as error:
        files_by_id(tmp_path, (".png",), "data.images")
    lines = [line for line in error.value.advice.splitlines() if "_name: " in line]
    assert len(lines) == len(told)
    assert all(text in line for text, line in zip(told, lines, strict=True))


def test_names_of_classes_may_have_the_separator(tmp_path: Path) -> None:
    for name in ("1_left_lung.png", "1_lung.png", "1_heart.png"):
        (tmp_path / name).touch()
    found = named_files(tmp_path, (), "key", "{id}_{class}.png", classes=("lung", "left_lung"))
    assert sorted(name for name, _ in found["1"]) == ["heart", "left_lung", "lung"]
