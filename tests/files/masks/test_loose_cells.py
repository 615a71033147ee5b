from pathlib import Path

import pytest

from toolkit.files.disk.tables import TextTable
from toolkit.files.masks.loose_cells import are_runs, is_empty_word, loose_runs, with_header


@pytest.mark.parametrize(
    "cell",
    [
        "1 3 10 5",
        " 1  3 10   5 ",
        "[1, 3, 10, 5]",
        "[1 3 10 5]",
        "[(1, 3), (10, 5)]",
        "1.0 3.0 10.0 5.0",
        "1. 3. 10. 5.",
    ],
)
def test_runs_are_read_however_programs_write_them(cell: str) -> None:
    assert loose_runs(cell) == "1 3 10 5"
    assert are_runs(loose_runs(cell))


@pytest.mark.parametrize("cell", ["", "nan", "-1", "1.5 3", "1e5 3", "1 -3", "1:3 10:5", "a 1 3", "[]", "1 3 x"])
def test_other_cells_stay_as_they_are(cell: str) -> None:
    assert loose_runs(f" {cell}") == cell
    assert not are_runs(loose_runs(cell))


@pytest.mark.parametrize("word", ["", " ", "-1", "nan", "NaN", "None", "null", "<NA>", "[]", "0", "0 0", "1 0"])
def test_words_for_an_empty_mask(word: str) -> None:
    assert is_empty_word(word)


@pytest.mark.parametrize("word", ["1 1", "0 1", "5 0", "1", "mask"])
def test_other_words_are_no_empty_mask(word: str) -> None:
    assert not is_empty_word(word)


def table(*lines: tuple[str, ...]) -> TextTable:
    return TextTable(Path("t.csv"), lines[0], lines[1:])


def test_a_first_line_with_runs_or_a_known_id_is_a_row() -> None:
    for first, known in ((("a", "1 3"), ()), (("a.png", ""), ("a", "b"))):
        found = with_header(table(first, ("b", "5 2")), known)
        assert found.rows == (first, ("b", "5 2"))
        assert (found.columns, found.has_header, found.first_line) == (("column 1", "column 2"), False, 1)


def test_names_of_columns_stay_a_header() -> None:
    one = table(("id", "rle"), ("a", "1 3"))
    assert with_header(one, ("a",)) is one
    assert one.first_line == 2
