from pathlib import Path

import pytest

from toolkit.errors import DataError, FoldsError, MissingFileError
from toolkit.files.disk.tables import format_table, read_table

STRANGE = ["NA", "None", "nan", "007", "1e5", "True", "a,b", 'say "no"', "two\nlines", " x ", "é×字", "1.2.276.0"]


def rows_of(path: Path) -> tuple[tuple[str, ...], ...]:
    return read_table(path, 2, "data.masks", DataError).rows


def test_cells_stay_text(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(format_table(("id", "text"), [(cell, cell) for cell in STRANGE]), newline="")
    assert rows_of(path) == tuple((cell, cell) for cell in STRANGE)


def test_floats_keep_their_last_digit(tmp_path: Path) -> None:
    numbers = [0.1, 1 / 3, 1e-17, 123456789.123456789, 1.0]
    path = tmp_path / "a.csv"
    path.write_text(format_table(("id", "score"), [("a", number) for number in numbers]))
    assert [float(text) for _, text in rows_of(path)] == numbers


def test_tables_have_plain_newlines_and_no_numbering() -> None:
    assert format_table(("id", "rle_mask"), [("b", "1 2"), ("a", "")]) == "id,rle_mask\nb,1 2\na,\n"


@pytest.mark.parametrize(
    "content",
    [
        b"id,rle\na,1 1\nb,\n",
        b"\xef\xbb\xbfid,rle\na,1 1\nb,\n",
        b"id, rle\r\na,1 1\r\nb,\r\n",
        b'"id","rle"\n"a","1 1"\n"b",""\n',
        b"id,rle\na,1 1\n\nb\n",
        b"id;rle\na;1 1\nb;\n",
        b"id;rle\na;1 1\nb\n",
        b"id\trle\na\t1 1\nb\t\n",
        b"id|rle\na|1 1\nb|\n",
        "id,rle\na,1 1\nb,\n".encode("utf-16"),
    ],
    ids=[
        "plain",
        "byte order mark",
        "Windows newlines and a space",
        "quoted",
        "blank line and a short row",
        "semicolons",
        "semicolons and a short row",
        "tabs",
        "bars",
        "UTF-16",
    ],
)
def test_a_table_is_the_same_however_it_was_saved(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    table = read_table(tmp_path / "a.csv", 2, "data.masks", DataError)
    assert table.columns == ("id", "rle")
    assert table.rows == (("a", "1 1"), ("b", ""))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        b"id,rle,more\na,1 1,\n",
        b"id,rle\na,1 1,3\n",
        b'id,rle\n"a,1 1\n',
        "id,rle\né,1 1\n".encode("latin-1"),
        b"PK\x03\x04\x14\x00\x00\x00\xff\xfe",
    ],
    ids=["empty", "blank", "three columns", "a long row", "open quote", "Latin-1", "zip"],
)
def test_an_invalid_table_is_reported_with_key_and_path(tmp_path: Path, content: bytes) -> None:
    for name in ("a.csv", "a.csv.zip", "a.csv.gz"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FoldsError) as told:
            read_table(tmp_path / name, 2, "the key", FoldsError)
        assert "the key" in told.value.message
        assert str(tmp_path / name) in told.value.message


def test_a_missing_file_or_a_folder_is_reported_with_key_and_path(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.csv", tmp_path):
        with pytest.raises(MissingFileError, match="the key") as told:
            read_table(path, 2, "the key", DataError)
        assert str(path) in told.value.message


def test_any_number_of_columns_is_read_if_none_is_required(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    for columns in (("one",), ("one", "two", "three", "four")):
        path.write_text(format_table(columns, [columns, columns]))
        table = read_table(path, None, "history", DataError)
        assert table.columns == columns
        assert table.rows == (columns, columns)


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        ("Labels of 2024\nid,rle\na,1 1\n", 1),
        ("Labels of 2024\n\nid,rle\na,1 1\n", 2),
        ("Labels of 2024;\nid;rle\na;1 1\n", 1),
        ("Labels; second version\nid,rle\na,1 1\n", 1),
        ("Labels\nid;rle\na;1 1\n", 1),
        ("# by me, for you\n# 2024\nid,rle\na,1 1\n", 2),
        ("Labels of the clinic, 2024\nid,rle_mask\na,1 1\n", 1),
        ("Labels of the clinic, 2024\nImageId,EncodedPixels\na,1 1\n", 1),
        ("Labels\nbild,maske\na,1 1\n", 1),
        ("Labels,,\nimage,mask,site\na.png,a_mask.png,x\n", 1),
    ],
)
def test_lines_above_the_header_are_refused(tmp_path: Path, content: str, lines: int) -> None:
    path = tmp_path / "a.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=f"above the names of the columns .*, line {lines + 1}") as told:
        read_table(path, None, "data.masks", DataError)
    assert f"{path}:1: " in told.value.message
    assert f"Remove {'line 1' if lines == 1 else f'the lines 1 to {lines}'} of {path}" in told.value.advice


@pytest.mark.parametrize(
    "content",
    [
        ",patient\na,p1\nb,p2\n",
        "# id,patient\na,p1\nb,p2\n",
        "id,\na,p1\n",
        "a,\nb,1 1\n",
        "a.png,\nb.png,b_mask.png\n",
        "0,image_0\n1,image_1\n",
        "text\nred; blue\n",
        "patient,date\nmask,x\n",
        "id,patient\nmy id,p1\nother id,p2\n",
    ],
)
def test_a_first_line_that_may_be_a_header_or_a_row_is_read(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(content)
    table = read_table(path, None, "data.masks", DataError)
    assert 1 + len(table.rows) == len(content.splitlines())
