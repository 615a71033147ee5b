from collections.abc import Callable
from pathlib import Path

import pytest

from toolkit.files.recognition.tables.recognised_tables import RecognisedTable, recognise_table

Table = Callable[..., Path]
TRAIN, TEST = ("a1", "b2", "c3"), ("x1", "y2")


def recognise(path: Path) -> RecognisedTable:
    return recognise_table(path, TRAIN, TEST)


def test_labels_and_samples_are_distinguished_by_their_images(table: Table) -> None:
    labels = recognise(table("id,rle", "a1,1 2 5 6", "b2,", "c3,4 4"))
    assert (labels.role, labels.columns_used, labels.template) == ("labels", ("id", "rle"), "{id}")
    assert labels.empty_words == {"": 1}
    assert recognise(table("id,rle", "x1,1 1", "y2,1 1")).role == "sample"
    assert recognise(table("id,rle", "a1,1 1", "b2,1 1", name="sample_submission.csv")).role == "sample"


def test_a_byte_order_mark_and_spaces_do_not_matter(table: Table) -> None:
    found = recognise(table("\ufefffile, mask", "a1.png,-1", "b2.png,3 4 1 2"))
    assert found.table.columns == ("file", "mask")
    assert (found.role, found.template, found.empty_words["-1"]) == ("labels", "{id}.png", 1)


def test_classes_follow_the_id_or_have_a_column(table: Table) -> None:
    behind = recognise(table("k,m", *(f"{one}.jpg_{name},1 2" for one in TRAIN for name in "12")))
    assert (behind.template, behind.classes, behind.several_rows) == ("{id}.jpg_{class}", ("1", "2"), 0)
    column = recognise(table("k,c,m", *(f"{one},{name},1 2" for one in TRAIN for name in ("big", "wee"))))
    assert (column.columns_used, column.classes) == (("k", "c", "m"), ("big", "wee"))


def test_objects_may_have_a_class_in_a_column_with_such_a_name(table: Table) -> None:
    rows = ("a1,ring,1 2", "a1,star,5 2", "a1,ring,9 2", "b2,star,1 2")
    assert recognise(table("id,class,rle", *rows)).classes == ("ring", "star")
    assert recognise(table("id,note,rle", *rows)).class_column is None


def test_classes_are_in_the_order_of_the_table_and_numbers_are_sorted(table: Table) -> None:
    rows = [f"{one},{name},1 2" for one in TRAIN for name in ("wee", "big")]
    assert recognise(table("k,c,m", *rows)).classes == ("wee", "big")
    rows = [f"{one},{name},1 2" for one in TRAIN for name in ("10", "2")]
    assert recognise(table("k,c,m", *rows)).classes == ("2", "10")


def test_several_rows_of_an_image_are_counted(table: Table) -> None:
    assert recognise(table("id,rle", "a1,1 2", "a1,5 2", "b2,1 2")).several_rows == 1


def test_numbers_are_metadata_not_masks(table: Table) -> None:
    found = recognise(table("id,z", "a1,841", "b2,12", "x1,7"))
    assert (found.role, found.id_column) == ("metadata", 0)
    assert "z" in found.why


def test_colours_of_classes(table: Table) -> None:
    assert recognise(table("name,r,g,b", "road,1,2,3")).role == "classes"


@pytest.mark.parametrize("lines", [("a,b", "1,2"), ("a,b",), ("q,rle", "zz,1 2 4 5")])
def test_other_tables_are_unknown(table: Table, lines: tuple[str, ...]) -> None:
    found = recognise(table(*lines))
    assert found.role == "unknown"
    assert found.why


def test_a_file_that_is_not_a_table_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"\x89PNG\r\n\x1a\n\x00\xff")
    assert recognise(tmp_path / "t.csv").role == "unknown"


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_the_separator_of_cells_does_not_matter(table: Table, mark: str) -> None:
    found = recognise(table(*(mark.join(cells) for cells in (("id", "m"), ("a1", "1 2"), ("b2", "")))))
    assert (found.role, found.columns_used) == ("labels", ("id", "m"))


def test_a_table_without_a_header_keeps_its_first_row(table: Table) -> None:
    found = recognise(table("a1,1 2", "b2,3 3"))
    assert (found.role, found.image_ids, found.table.has_header) == ("labels", {"a1", "b2"}, False)


def test_ids_in_another_spelling_are_those_of_images(table: Table) -> None:
    path = table("n,id,m", "0,data/A1.png,[1, 2]".replace("[1, 2]", '"[1, 2]"'), "1,data/B2.png,")
    found = recognise(path)
    assert (found.role, found.id_column, found.rows) == ("labels", 1, (("a1", "", "1 2"), ("b2", "", "")))
    assert found.alike == {"data/A1": "a1", "data/B2": "b2"}


def test_words_for_an_empty_mask_are_told_from_runs(table: Table) -> None:
    found = recognise(table("id,m", "a1,1 2", "b2,None", "c3,0 0"))
    assert (found.mask_column, found.empty_words) == (1, {"None": 1, "0 0": 1})


def test_a_row_that_is_repeated_is_no_further_object(table: Table) -> None:
    assert recognise(table("id,m", "a1,1 2", "a1,1 2", "b2,3 3", "b2,")).several_rows == 0


def test_the_classes_of_a_known_competition_are_known_where_each_image_has_one_row(table: Table) -> None:
    found = recognise(table("ImageId,ClassId,EncodedPixels", "a1.jpg,3,1 2", "b2.jpg,1,5 6"))
    assert (found.columns_used, found.classes) == (("ImageId", "ClassId", "EncodedPixels"), ("1", "3"))
