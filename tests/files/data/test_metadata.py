from pathlib import Path

import pytest

from toolkit.errors import DataError, MissingFileError
from toolkit.files.data.metadata import Metadata, read_metadata

IDS = ("007", "NA", "b.c")


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize("ids", [("NA", "b.c", "007"), ("NA.png", "b.c.jpg", " 007 ")])
def test_a_column_is_in_the_order_of_the_sorted_ids(tmp_path: Path, ids: tuple[str, ...]) -> None:
    rows = "".join(f"{image_id},None,{number}\n" for number, image_id in enumerate(ids))
    table = read_metadata(write(tmp_path / "a.csv", f"image,patient,weight\n{rows}other,1,2\n"), None, IDS)
    assert table.column("weight") == ("2", "0", "1")
    assert table.numbers("weight").tolist() == [2, 0, 1]
    assert table.column("patient") == ("None",) * 3


def test_the_column_of_the_ids_can_be_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "patient,image\n1,007\n2,NA\n1,b.c\n")
    assert read_metadata(path, "image", IDS).column("patient") == ("1", "2", "1")
    with pytest.raises(DataError, match=r"data\.metadata_id: .*: column 'images' is not valid; did you mean 'image'"):
        read_metadata(path, "images", IDS)
    with pytest.raises(DataError, match=r"has no row for 3 of 3 images: 007, NA, b\.c") as told:
        read_metadata(path, None, IDS)
    assert "first values: 1, 2, 1" in told.value.advice


def test_rows_of_an_image_that_differ_are_reported(tmp_path: Path) -> None:
    table = read_metadata(write(tmp_path / "a.csv", "id,a,b\n007,1,x\n007,2,x\nNA,1,y\nb.c,1,y\n"), None, IDS)
    assert table.column("b") == ("x", "y", "y")
    with pytest.raises(DataError, match="the rows of 007 have different values of a: 1, 2"):
        table.column("a")


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "", "many"])
def test_weights_are_numbers_from_0(tmp_path: Path, value: str) -> None:
    table = read_metadata(write(tmp_path / "a.csv", f"id,w\n007,1\nNA,{value}\nb.c,0\n"), None, IDS)
    with pytest.raises(DataError, match=f"w of NA is '{value}'; expected a number of at least 0"):
        table.numbers("w")
    with pytest.raises(DataError, match="w is 0 for all"):
        read_metadata(write(tmp_path / "b.csv", "id,w\n007,0\nNA,0\nb.c,0\n"), None, IDS).numbers("w")


def test_missing_files_are_reported(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"data\.metadata: there is no file"):
        read_metadata(tmp_path / "a.csv", None, IDS)
    with pytest.raises(DataError, match=r"data\.metadata is not set"):
        Metadata().column("patient")


def test_a_repeated_column_is_refused(tmp_path: Path) -> None:
    found = read_metadata(write(tmp_path / "a.csv", "id,g,g\na,1,2\n"), None, ("a",))
    with pytest.raises(DataError, match=r"a\.csv: several columns are called 'g'"):
        found.column("g")
