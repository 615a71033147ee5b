from pathlib import Path

import numpy as np
import pytest

from toolkit.errors import FoldsError, MissingFileError
from toolkit.files.fold_table import read_folds, write_folds

IDS = ("NA", "a", "007", "1.2.276.0")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "exp042" / "folds.csv"
    write_folds(path, IDS, np.array([1, 0, 1, 0]))
    return path


def test_folds_come_back_in_the_order_that_is_asked_for(table: Path) -> None:
    folds = read_folds(table, IDS, 2)
    assert folds.dtype == np.int64
    assert folds.tolist() == [1, 0, 1, 0]
    assert read_folds(table, tuple(sorted(IDS))).tolist() == [1, 0, 1, 0]
    assert read_folds(table, ("a", "NA", "1.2.276.0", "007")).tolist() == [0, 1, 0, 1]


def test_a_table_that_went_through_a_spreadsheet_is_the_same(table: Path) -> None:
    table.write_bytes(b"\xef\xbb\xbf" + table.read_bytes().replace(b"\n", b"\r\n"))
    assert read_folds(table, IDS).tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("NA,1\na,0\n007,1\n", r"1 images have no fold \(1\.2\.276\.0\)"),
        ("NA,1\na,0\n007,1\n1.2.276.0,0\nb,1\n", r"1 of its images are not there \(b\)"),
        ("NA,1\na,0\n7,1\n1.2.276.0,0\n", r"no fold \(007\).*not there \(7\)"),
        ("NA,1\na,0\n007,1\n1.2.276.0,0\na,0\n", "'a' stands twice"),
        ("NA,1\na,zero\n007,1\n1.2.276.0,0\n", "'a' has fold 'zero'"),
        ("NA,1\na,0.0\n007,1\n1.2.276.0,0\n", r"'a' has fold '0\.0'"),
        ("NA,1\na,-1\n007,1\n1.2.276.0,0\n", "'a' has fold '-1'"),
        ("NA,1\na\n007,1\n1.2.276.0,0\n", "'a' has fold ''"),
        ("NA,2\na,0\n007,2\n1.2.276.0,0\n", "expected the folds 0 to 1, received 0, 2"),
        ("NA,1\na,2\n007,1\n1.2.276.0,2\n", "expected the folds 0 to 1, received 1, 2"),
        ("", "4 images have no fold"),
    ],
    ids=["missing", "unknown", "renamed", "twice", "word", "decimal", "negative", "empty", "gap", "from 1", "no rows"],
)
def test_what_does_not_fit_the_data_is_told_with_the_way_out(table: Path, rows: str, words: str) -> None:
    table.write_text(f"image_id,fold\n{rows}")
    with pytest.raises(FoldsError, match=words) as told:
        read_folds(table, IDS)
    assert str(table) in told.value.message
    assert f"tk fit {table.parent} --restart" in told.value.advice


def test_another_count_of_folds_is_refused(table: Path) -> None:
    with pytest.raises(FoldsError, match="expected the folds 0 to 4, received 0, 1") as told:
        read_folds(table, IDS, 5)
    assert "folds_count" in told.value.advice


def test_a_file_that_is_no_table_of_folds_is_refused(table: Path) -> None:
    table.write_text("NA;1\na;0\n")
    with pytest.raises(FoldsError, match="expected 2 columns"):
        read_folds(table, IDS)
    table.unlink()
    with pytest.raises(MissingFileError, match=r"folds\.csv"):
        read_folds(table, IDS)
