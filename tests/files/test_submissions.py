from pathlib import Path

import pytest

from toolkit.errors import MissingFileError, SubmissionError
from toolkit.files.submissions import default_layout, read_submission, sample_layout, write_submission


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    path = tmp_path / "sample_submission.csv"
    path.write_text("ImageId,EncodedPixels\nb.jpg,1 1\n007,\na.b.png,1 1\nNA,1 1\n")
    return path


def test_columns_ids_and_order_are_those_of_the_sample(sample: Path) -> None:
    layout = sample_layout(sample)
    assert layout.columns == ("ImageId", "EncodedPixels")
    assert layout.rows == (("b.jpg", "b"), ("007", "007"), ("a.b.png", "a.b"), ("NA", "NA"))


def test_a_submission_looks_like_its_sample(sample: Path, tmp_path: Path) -> None:
    runs = {"NA": "3 4", "a.b": "", "b": "1 2 9 1", "007": "5 6", "not asked for": "7 8"}
    write_submission(tmp_path / "submissions" / "a.csv", sample_layout(sample), runs)
    content = (tmp_path / "submissions" / "a.csv").read_bytes()
    assert content == b"ImageId,EncodedPixels\nb.jpg,1 2 9 1\n007,5 6\na.b.png,\nNA,3 4\n"


def test_how_the_sample_was_saved_does_not_matter(sample: Path, tmp_path: Path) -> None:
    plain = sample_layout(sample)
    sample.write_bytes(b"\xef\xbb\xbf" + sample.read_bytes().replace(b"\n", b"\r\n"))
    assert sample_layout(sample) == plain
    write_submission(tmp_path / "a.csv", sample_layout(sample), {"b": "é", "007": "", "a.b": "", "NA": ""})
    assert (tmp_path / "a.csv").read_bytes().startswith(b"ImageId,EncodedPixels\nb.jpg,\xc3\xa9\n")


def test_a_submission_is_read_back_as_it_was_written(sample: Path, tmp_path: Path) -> None:
    runs = {"b": "1 2", "007": "", "a.b": "3 4", "NA": "5 6"}
    write_submission(tmp_path / "a.csv", sample_layout(sample), runs)
    assert read_submission(tmp_path / "a.csv") == runs


def test_without_a_sample_rows_are_sorted() -> None:
    layout = default_layout(["b", "a.b", "10", "9"])
    assert layout.columns == ("id", "rle_mask")
    assert [image_id for _, image_id in layout.rows] == ["10", "9", "a.b", "b"]
    assert all(cell == image_id for cell, image_id in layout.rows)


def test_ids_that_stand_twice_are_refused(sample: Path) -> None:
    for row in ("007,1 1\n", "b.jpg,\n", "b.png,\n", "b,\n"):
        content = sample.read_text()
        sample.write_text(content + row)
        for read in (sample_layout, read_submission):
            with pytest.raises(SubmissionError, match="1 ids stand in several rows") as told:
                read(sample)
            assert str(sample) in told.value.message
            assert told.value.message.endswith(row[0] if row[0] == "b" else "007")
        sample.write_text(content)


@pytest.mark.parametrize("content", ["id,rle\n", "id\na\n", "id,class,rle\na,1,\n", ""])
def test_what_is_no_sample_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "sample.csv").write_text(content)
    with pytest.raises(SubmissionError, match=r"data\.sample_submission.*sample\.csv"):
        sample_layout(tmp_path / "sample.csv")


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    for read in (sample_layout, read_submission):
        with pytest.raises(MissingFileError, match=r"nowhere\.csv"):
            read(tmp_path / "nowhere.csv")
