from pathlib import Path

import numpy as np
import pytest

from toolkit.core.folds.assignment import HOLDOUT, TRAIN
from toolkit.errors import FoldsError, MissingFileError
from toolkit.files.experiment.folds_csv import FoldTable, read_fold_table, read_folds, read_given_folds, write_folds

IDS = ("NA", "a", "007", "1.2.276.0")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "exp042" / "folds.csv"
    write_folds(path, IDS, np.array([1, 0, 1, 0]))
    return path


def test_folds_are_read_in_the_requested_order(table: Path) -> None:
    folds = read_fold_table(table, IDS, 2).folds
    assert folds.dtype == np.int64
    assert folds.tolist() == [1, 0, 1, 0]
    assert read_folds(table, tuple(sorted(IDS))).tolist() == [1, 0, 1, 0]
    assert read_folds(table, ("a", "NA", "1.2.276.0", "007")).tolist() == [0, 1, 0, 1]


def test_a_table_saved_by_a_spreadsheet_is_the_same(table: Path) -> None:
    table.write_bytes(b"\xef\xbb\xbf" + table.read_bytes().replace(b"\n", b"\r\n"))
    assert read_folds(table, IDS).tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("NA,1\na,0\n007,1\n", r"1 images have no fold \(1\.2\.276\.0\)"),
        ("NA,1\na,0\n007,1\n1.2.276.0,0\nb,1\n", r"1 images in the file do not exist \(b\)"),
        ("NA,1\na,0\n7,1\n1.2.276.0,0\n", r"no fold \(007\).*do not exist \(7\)"),
        ("NA,1\na,0\n007,1\n1.2.276.0,0\na,0\n", "'a' occurs twice"),
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
def test_a_table_that_does_not_fit_the_data_is_reported_with_advice(table: Path, rows: str, words: str) -> None:
    table.write_text(f"image_id,fold\n{rows}")
    with pytest.raises(FoldsError, match=words) as told:
        read_folds(table, IDS)
    assert str(table) in told.value.message
    assert f"tk fit {table.parent} --restart" in told.value.advice


def test_a_wrong_number_of_folds_is_refused(table: Path) -> None:
    with pytest.raises(FoldsError, match="expected the folds 0 to 4, received 0, 1") as told:
        read_fold_table(table, IDS, 5)
    assert "folds_count" in told.value.advice


def test_a_file_that_is_not_a_table_of_folds_is_refused(table: Path) -> None:
    table.write_text("NA;1\na;0\n")
    with pytest.raises(FoldsError, match="expected the columns image_id and fold, received NA, 1"):
        read_folds(table, IDS)
    table.unlink()
    with pytest.raises(MissingFileError, match=r"folds\.csv"):
        read_folds(table, IDS)


def test_words_and_groups_are_read_back(tmp_path: Path) -> None:
    path = tmp_path / "folds.csv"
    write_folds(path, IDS, np.array([1, TRAIN, 0, HOLDOUT]), ["x", "NA", "x", ""])
    assert path.read_text() == "image_id,fold,group\nNA,1,x\na,train,NA\n007,0,x\n1.2.276.0,holdout,\n"
    table = read_fold_table(path, IDS, 2)
    assert table.folds.tolist() == [1, TRAIN, 0, HOLDOUT]
    assert table.groups == ("x", "NA", "x", "")
    assert (table.out_of_fold.ids, table.out_of_fold.folds.tolist()) == (("NA", "007"), [1, 0])
    assert (table.holdout.ids, table.holdout.groups) == (("1.2.276.0",), ("",))


def test_without_ids_the_ids_of_the_file_are_used(table: Path) -> None:
    assert read_fold_table(table).ids == tuple(sorted(IDS))


def test_a_single_fold_must_leave_images_for_training(table: Path) -> None:
    write_folds(table, IDS, np.array([0, TRAIN, TRAIN, HOLDOUT]))
    assert read_fold_table(table, IDS, 1).folds_count == 1
    with pytest.raises(FoldsError, match="expected the folds 0 to 4, received 0"):
        read_fold_table(table, IDS, 5)
    write_folds(table, IDS, np.array([0, 0, 0, HOLDOUT]))
    with pytest.raises(FoldsError, match="the only fold holds out all images"):
        read_fold_table(table, IDS, 1)
    write_folds(table, IDS, np.array([TRAIN, TRAIN, HOLDOUT, HOLDOUT]))
    with pytest.raises(FoldsError, match="expected fold 0 alone, received none"):
        read_fold_table(table, IDS, 1)


def test_the_parts_for_nested_scores_are_the_folds() -> None:
    table = FoldTable(IDS, np.array([1, HOLDOUT, 0, TRAIN]))
    assert table.parts("tk tune").tolist() == [1, 0]


def test_a_single_fold_is_divided_into_random_parts_that_keep_groups_together() -> None:
    ids = tuple(f"{number:02}" for number in range(40))
    folds = np.array([0] * 30 + [TRAIN] * 10)
    assert np.bincount(FoldTable(ids, folds).parts("tk tune")).tolist() == [6] * 5
    groups = tuple(str(number // 3) for number in range(40))
    parts = FoldTable(ids, folds, groups).parts("tk tune")
    assert np.bincount(parts).tolist() == [6] * 5
    assert all(len(set(parts[start : start + 3])) == 1 for start in range(0, 30, 3))


def test_a_single_group_cannot_be_divided() -> None:
    table = FoldTable(IDS, np.array([0, 0, TRAIN, TRAIN]), ("p", "p", "q", "q"))
    with pytest.raises(FoldsError, match=r"tk tune chooses on some images or groups.*there is only p"):
        table.parts("tk tune")


def test_groups_in_several_folds_are_found() -> None:
    table = FoldTable(IDS, np.array([0, 1, TRAIN, HOLDOUT]))
    assert table.straddling(np.array([0, 0, 1, 1])) == [0, 1]
    assert table.straddling(np.array([0, 1, 2, 3])) == []


def test_a_given_file_may_have_more_columns_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("fold,depth,image_id\n0,3,a\n1,,NA\nholdout,1,007\ntrain,1,1.2.276.0\n")
    table = read_given_folds(path, "folds", IDS, 2)
    assert table.folds.tolist() == [1, 0, HOLDOUT, TRAIN]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("image,fold\na,0\n", "missing column image_id; received image, fold"),
        ("id;fold\na;0\n", "missing column image_id; received id, fold"),
        ("image_id,fold\nNA,0\na,1\n007,test\n1.2.276.0,0\n", r"mine\.csv:4: image '007' has fold 'test'"),
        ("image_id,fold\nNA,0\na,1\n007,0\n1.2.276.0,10000000000000000000000\n", "has fold '1000"),
        ("image_id,fold,fold\nNA,0,1\na,1,1\n007,0,1\n1.2.276.0,1,0\n", "column fold occurs several times"),
        ("image_id,fold\nNA,0\na,1\n007,0\n1.2.276.0,2\n", "expected the folds 0 to 1, received 0, 1, 2"),
        ("image_id,fold\nNA.png,0\na,1\n007,0\n1.2.276.0,1\n", r"no fold \(NA\).*do not exist \(NA\.png\)"),
    ],
)
def test_invalid_given_files_are_reported(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(text)
    with pytest.raises(FoldsError, match=words) as told:
        read_given_folds(path, "folds", IDS, 2)
    assert "holdout" in told.value.advice
