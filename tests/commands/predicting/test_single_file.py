from pathlib import Path

import pytest

from toolkit.commands.predicting.formats import About
from toolkit.commands.predicting.single_file import (
    folder_beside,
    format_of_file,
    move_only_file,
    names_a_file,
    refuse_several_files,
)
from toolkit.core.masks.labels import Classes
from toolkit.errors import ChangedError, ConfigError, MissingFileError, StorageError


@pytest.fixture
def image(tmp_path: Path) -> Path:
    (tmp_path / "a.png").touch()
    return tmp_path / "a.png"


def test_a_suffix_names_a_file_and_a_folder_keeps_its_name(tmp_path: Path) -> None:
    assert names_a_file(tmp_path / "one.png")
    assert names_a_file(tmp_path / "table.CSV")
    assert not names_a_file(tmp_path / "run.v2")
    (tmp_path / "one.png").mkdir()
    assert not names_a_file(tmp_path / "one.png")


@pytest.mark.parametrize(
    ("name", "formats", "expected"),
    [
        ("one.png", None, "png"), ("one.npz", None, "npz"), ("one.npy", None, "npy"), ("one.csv", None, "rle"),
        ("one.png", ("mask",), "mask"), ("one.PNG", ("overlay",), "overlay"),
    ],
)  # fmt: skip
def test_the_format_follows_the_suffix(
    tmp_path: Path, image: Path, name: str, formats: tuple[str, ...] | None, expected: str
) -> None:
    assert format_of_file(tmp_path / name, [image], formats) == expected


@pytest.mark.parametrize(
    ("name", "formats", "words"),
    [
        ("one.png", ("mask,overlay",), "cannot hold the format mask, overlay"),
        ("one.png", ("npz",), r"cannot hold the format npz; \.png is for png, mask, overlay"),
        ("one.jpg", ("mask",), r"no format has files that end in \.jpg: \.png, \.npz"),
        ("one.jpg", None, "no format has files that end in"),
        ("one.png", ("debug",), "--format: 'debug' is not valid"),
    ],
)
def test_other_formats_are_refused(
    tmp_path: Path, image: Path, name: str, formats: tuple[str, ...] | None, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        format_of_file(tmp_path / name, [image], formats)


def test_a_folder_of_images_a_missing_image_and_a_file_that_exists_are_refused(tmp_path: Path, image: Path) -> None:
    with pytest.raises(ConfigError, match="a folder of images is predicted") as error:
        format_of_file(tmp_path / "one.png", [tmp_path], None)
    assert error.value.advice == f"Choose a folder: --out {tmp_path / 'one'}"
    with pytest.raises(MissingFileError, match=r"there is no folder or file .*typo\.png"):
        format_of_file(tmp_path / "one.png", [tmp_path / "typo.png"], None)
    with pytest.raises(ChangedError, match="exists already and is not replaced"):
        format_of_file(image, [image], None)


def test_files_of_several_classes_do_not_fit(tmp_path: Path) -> None:
    out, several = tmp_path / "one.png", About(Classes(("road", "car"), "sigmoid"), "")
    with pytest.raises(ConfigError, match="the format mask has 2, one for each class: mask/road, mask/car") as error:
        refuse_several_files(out, "mask", several)
    assert error.value.advice == f"Choose a folder: --out {tmp_path / 'one'}"
    refuse_several_files(out, "mask", About(Classes(("road",), "sigmoid"), ""))
    for kind in ("overlay", "npz", "rle"):
        refuse_several_files(out, kind, several)


@pytest.mark.parametrize(("kind", "name"), [("mask", "mask/below/a.png"), ("rle", "masks.csv")])
def test_the_only_file_is_moved(tmp_path: Path, kind: str, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("made")
    move_only_file(tmp_path, kind, tmp_path / "one")
    assert (tmp_path / "one").read_text() == "made"


def test_a_place_that_cannot_be_written_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    with folder_beside(tmp_path / "one.png") as folder:
        assert folder.parent == tmp_path
    monkeypatch.setattr("os.mkdir", refused)
    with (
        pytest.raises(StorageError, match=f"cannot write to {tmp_path}: Permission denied"),
        folder_beside(tmp_path / "a"),
    ):
        pass
