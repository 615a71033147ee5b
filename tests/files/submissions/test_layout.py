from pathlib import Path

import numpy as np
import pytest

from toolkit.config.data.competitions import PLAIN, PRESETS, Competition, find_competition
from toolkit.core.masks.rle import RleError, encode
from toolkit.errors import MissingFileError, SubmissionError
from toolkit.files.submissions.layout import (
    default_layout,
    encode_image,
    encode_objects,
    read_solution,
    read_submission,
    sample_layout,
    sample_layout_for,
    write_submission,
)
from toolkit.messages import Silent


class Warnings(Silent):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, message: str) -> None:
        self.warnings.append(message)


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    path = tmp_path / "sample_submission.csv"
    path.write_text("ImageId,EncodedPixels\nb.jpg,1 1\n007,\na.b.png,1 1\nNA,1 1\n")
    return path


def write(path: Path, *rows: str) -> Path:
    path.write_text("".join(f"{row}\n" for row in rows))
    return path


def changed(name: str, **keys: object) -> Competition:
    return Competition.model_validate(find_competition(name).model_dump() | keys)


def test_columns_ids_and_order_are_those_of_the_sample(sample: Path) -> None:
    layout = sample_layout(sample)
    assert layout.columns == ("ImageId", "EncodedPixels")
    assert [row.cells for row in layout.rows] == [("b.jpg",), ("007",), ("a.b.png",), ("NA",)]
    assert layout.image_ids == ("b", "007", "a.b", "NA")


def test_a_submission_has_the_format_of_its_sample(sample: Path, tmp_path: Path) -> None:
    runs = {"NA": ("3 4",), "a.b": ("",), "b": ("1 2 9 1",), "007": ("5 6",), "not asked for": ("7 8",)}
    write_submission(tmp_path / "submissions" / "a.csv", sample_layout(sample), runs)
    content = (tmp_path / "submissions" / "a.csv").read_bytes()
    assert content == b"ImageId,EncodedPixels\nb.jpg,1 2 9 1\n007,5 6\na.b.png,\nNA,3 4\n"


def test_how_the_sample_was_saved_does_not_matter(sample: Path, tmp_path: Path) -> None:
    plain = sample_layout(sample)
    sample.write_bytes(b"\xef\xbb\xbf" + sample.read_bytes().replace(b"\n", b"\r\n"))
    assert sample_layout(sample) == plain
    write_submission(
        tmp_path / "a.csv",
        sample_layout(sample),
        {"b": ("é",), "007": ("",), "a.b": ("",), "NA": ("",)},
    )
    assert (tmp_path / "a.csv").read_bytes().startswith(b"ImageId,EncodedPixels\nb.jpg,\xc3\xa9\n")


def test_a_submission_is_read_back_as_it_was_written(sample: Path, tmp_path: Path) -> None:
    runs = {"b": ("1 2",), "007": ("",), "a.b": ("3 4",), "NA": ("5 6",)}
    write_submission(tmp_path / "a.csv", sample_layout(sample), runs)
    found = read_submission(tmp_path / "a.csv")
    assert {image_id: tuple(row.text for row in rows) for image_id, rows in found.by_image.items()} == runs
    assert [row.line for row in found.rows] == [2, 3, 4, 5]


def test_without_a_sample_rows_are_sorted() -> None:
    layout = default_layout(["b", "a.b", "10", "9"])
    assert layout.columns == ("id", "rle_mask")
    assert layout.image_ids == ("10", "9", "a.b", "b")
    assert all(row.cells == (row.image_id,) for row in layout.rows)


def test_repeated_ids_are_refused(sample: Path) -> None:
    for row in ("007,1 1\n", "b.jpg,\n", "b.png,\n", "b,\n"):
        content = sample.read_text()
        sample.write_text(content + row)
        for read in (sample_layout, read_submission, read_solution):
            with pytest.raises(SubmissionError, match="1 ids have several rows") as told:
                read(sample)
            assert str(sample) in told.value.message
            assert told.value.message.endswith(row[0] if row[0] == "b" else "007")
        sample.write_text(content)


@pytest.mark.parametrize("content", ["id,rle\n", "id\na\n", "id,class,rle\na,1,\n", ""])
def test_an_invalid_sample_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "sample.csv").write_text(content)
    with pytest.raises(SubmissionError, match=r"data\.sample_submission.*sample\.csv"):
        sample_layout(tmp_path / "sample.csv")


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    for read in (sample_layout, read_submission, read_solution):
        with pytest.raises(MissingFileError, match=r"nowhere\.csv"):
            read(tmp_path / "nowhere.csv")


IDS = ("1.2.276.0.7230010.3.1.4", "00ff", "NA", "007", "a.b_c d")
SIZE = (12, 17)
KINDS = {"empty": 0.0, "sparse": 0.05, "half": 0.5, "full": 1.1}


def masks_of(number: int, classes: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A different kind of mask for each class; one of them has the last pixel."""
    random = np.random.default_rng(number)
    densities = [list(KINDS.values())[(number + index) % len(KINDS)] for index in range(classes)]
    masks = random.random((*size, classes)) < densities
    masks[-1, -1] |= number % 2 == 1
    return masks


def objects_of(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """This number of objects, some with several components, one with the last pixel."""
    drawn = np.random.default_rng(number).integers(0, number + 1, size).astype(np.int32)
    drawn[-1, -1] = number
    return drawn


@pytest.mark.parametrize("name", [*PRESETS, None])
def test_masks_are_read_back_from_submissions_of_all_competitions(name: str | None, tmp_path: Path) -> None:
    form = PLAIN if name is None else changed(name, output_size=None)
    path = tmp_path / "a.csv"
    layout = default_layout(IDS, form)
    count = max(1, len(form.classes))
    if form.rows == "object":
        expected = {image_id: objects_of(number) for number, image_id in enumerate(IDS)}
        write_submission(path, layout, {key: encode_objects(value, form) for key, value in expected.items()})
    else:
        expected = {image_id: masks_of(number, count) for number, image_id in enumerate(IDS)}
        write_submission(path, layout, {key: encode_image(value, form) for key, value in expected.items()})
    assert b"\r" not in path.read_bytes()
    found = read_submission(path, form)
    assert found.columns == form.columns
    assert set(found.by_image) == set(IDS)
    for image_id in IDS:
        if form.rows == "object":
            assert np.array_equal(found.objects(image_id, SIZE), expected[image_id])
            assert np.array_equal(found.masks(image_id, SIZE)[..., 0], expected[image_id] > 0)
        else:
            assert np.array_equal(found.masks(image_id, SIZE), expected[image_id])
    assert sample_layout(path, form).rows == layout.rows
    assert all(row.text == form.empty or row.text[0].isdigit() for row in found.rows)


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def test_rows_have_the_format_of_the_competition(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    mask = np.array([[False, True, False], [True, True, True]])
    empty = np.zeros((2, 3), np.bool_)

    def write_of(name: str, masks: list[np.ndarray]) -> list[str]:
        form = changed(name, output_size=None)
        write_submission(path, default_layout(["x"], form), {"x": encode_image(np.stack(masks, axis=-1), form)})
        return lines(path)

    assert write_of("tgs-salt", [mask]) == ["id,rle_mask", "x,2 3 6 1"]
    assert write_of("tgs-salt", [empty]) == ["id,rle_mask", "x,"]
    assert write_of("siim-acr", [mask]) == ["ImageId,EncodedPixels", "x,1 3 1 1"]
    assert write_of("siim-acr", [empty]) == ["ImageId,EncodedPixels", "x,-1"]
    assert write_of("carvana", [mask]) == ["img,rle_mask", "x.jpg,2 1 4 3"]
    assert write_of("contrails", [empty]) == ["record_id,encoded_pixels", "x,-"]
    defects = write_of("severstal", [mask, empty, empty, mask])
    assert defects == ["ImageId_ClassId,EncodedPixels", "x.jpg_1,2 3 6 1", "x.jpg_2,", "x.jpg_3,", "x.jpg_4,2 3 6 1"]
    assert write_of("uw-madison", [empty, mask, empty])[:3] == [
        "id,class,predicted",
        "x,large_bowel,",
        "x,small_bowel,2 1 4 3",
    ]


def test_an_image_without_objects_has_one_empty_row(tmp_path: Path) -> None:
    form = find_competition("dsb2018")
    two = np.array([[1, 1, 0], [0, 0, 2]], np.int32)
    runs = {"a": encode_objects(np.zeros((2, 3), np.int32), form), "b": encode_objects(two, form)}
    write_submission(tmp_path / "a.csv", default_layout(["b", "a"], form), runs)
    assert lines(tmp_path / "a.csv") == ["ImageId,EncodedPixels", "a,", "b,1 1 3 1", "b,6 1"]


def test_masks_are_scaled_to_the_size_of_the_submission(tmp_path: Path) -> None:
    clouds = find_competition("clouds")
    masks = np.zeros((1400, 2100, 4), np.bool_)
    masks[400:800, 4:1000, 1] = True
    runs = encode_image(masks, clouds)
    write_submission(tmp_path / "a.csv", default_layout(["x"], clouds), {"x": runs})
    found = read_submission(tmp_path / "a.csv", clouds).masks("x", (350, 525))
    assert np.array_equal(found, masks[::4, ::4])
    with pytest.raises(RleError, match="but the image has"):
        read_submission(tmp_path / "a.csv", clouds).masks("x", (100, 150))


def test_scaled_objects_do_not_overlap(tmp_path: Path) -> None:
    form = changed("airbus", output_size=(16, 16))
    objects = np.random.default_rng(1).integers(0, 5, (33, 47)).astype(np.int32)
    write_submission(tmp_path / "a.csv", default_layout(["x"], form), {"x": encode_objects(objects, form)})
    decoded = [mask for _, mask in read_submission(tmp_path / "a.csv", form).decoded("x", (16, 16))]
    assert np.sum(decoded, axis=0).max() == 1


def test_only_masks_of_the_competition_are_encoded() -> None:
    with pytest.raises(ValueError, match="4 masks per image"):
        encode_image(np.zeros((2, 3, 1), np.bool_), find_competition("severstal"))
    with pytest.raises(ValueError, match="rows: object"):
        encode_image(np.zeros((2, 3, 1), np.bool_), find_competition("airbus"))


def test_a_repeated_id_of_a_sample_gives_one_row(tmp_path: Path) -> None:
    path = write(tmp_path / "s.csv", "ImageId,EncodedPixels", "b,-1", "a,-1", "b,-1")
    progress = Warnings()
    layout = sample_layout_for(path, ["a", "b", "c"], progress, find_competition("siim-acr"))
    assert layout.image_ids == ("b", "a")
    assert len(layout.rows) == 2
    assert any("1 rows" in warning for warning in progress.warnings)
    assert any("1 test images" in warning for warning in progress.warnings)
    with pytest.raises(SubmissionError, match="1 ids without a test image: b"):
        sample_layout_for(path, ["a"], Silent(), find_competition("siim-acr"))


def test_the_order_of_classes_is_that_of_the_sample(tmp_path: Path) -> None:
    rows = ["x.jpg_3", "x.jpg_1", "y.jpg_1", "x.jpg_2", "x.jpg_4", "y.jpg_4", "y.jpg_3", "y.jpg_2"]
    path = write(tmp_path / "s.csv", "ImageId_ClassId,EncodedPixels", *(f"{row},1 1" for row in rows))
    form = find_competition("severstal")
    runs = {image_id: [f"{number} 1" for number in (1, 2, 3, 4)] for image_id in "xy"}
    write_submission(tmp_path / "a.csv", sample_layout(path, form), runs)
    assert lines(tmp_path / "a.csv")[1:] == [f"{row},{row[-1]} 1" for row in rows]


@pytest.mark.parametrize(
    ("name", "rows", "problem"),
    [
        (
            "severstal",
            ["ImageId_ClassId,EncodedPixels", "x.jpg_5,"],
            r"line 2: expected \{id\}\.jpg_\{class\}.*1, 2, 3, 4",
        ),
        ("severstal", ["ImageId_ClassId,EncodedPixels", "x_1,"], r"line 2: .*received 'x_1'"),
        ("severstal", ["ImageId_ClassId,EncodedPixels", "x.jpg_1,"], "1 images lack rows for some of the classes"),
        ("uw-madison", ["id,class,predicted", "x,bowel,"], "line 2: expected one of the classes large_bowel"),
        ("uw-madison", ["id,predicted", "x,"], "expected 3 columns, received 2"),
        ("airbus", ["ImageId,EncodedPixels", "x,", "y.jpg,", "z.png,"], r"2 rows of .*\n.*line 2:.*\n.*line 4:"),
    ],
)
def test_a_sample_of_another_competition_is_refused(tmp_path: Path, name: str, rows: list[str], problem: str) -> None:
    path = write(tmp_path / "s.csv", *rows)
    with pytest.raises(SubmissionError, match=problem):
        sample_layout(path, find_competition(name))


def test_an_id_and_class_in_two_rows_are_refused(tmp_path: Path) -> None:
    form = find_competition("uw-madison")
    path = write(tmp_path / "s.csv", "id,class,predicted", "x,stomach,", "x,large_bowel,", "x,stomach,1 1")
    with pytest.raises(SubmissionError, match="1 ids have several rows: x stomach"):
        read_submission(path, form)


def test_a_solution_may_have_the_size_of_the_labels(tmp_path: Path) -> None:
    """Labels of Clouds are 1400×2100, submissions 350×525: four label pixels in a row are one pixel."""
    form, path = find_competition("clouds"), tmp_path / "solution.csv"
    large, small = np.zeros((1400, 2100), np.bool_), np.zeros((350, 525), np.bool_)
    large[:, 1000:1200] = small[:, 250:300] = True
    for mask in (large, small):
        path.write_text(f"Image_Label,EncodedPixels\nx.jpg_Fish,{encode(mask)}\nx.jpg_Sugar,\n")
        assert np.array_equal(read_solution(path, form).masks("x", (350, 525))[..., 0], small)
    path.write_text("Image_Label,EncodedPixels\nx.jpg_Fish,no runs\n")
    with pytest.raises(RleError):
        read_solution(path, form).masks("x", (350, 525))


def test_a_solution_may_have_the_columns_of_the_labels(tmp_path: Path) -> None:
    path = write(tmp_path / "s.csv", "id,annotation,width,height", "x,1 2,3,2", "x,5 1,3,2", "y,,3,2")
    solution = read_solution(path, find_competition("sartorius"))
    assert solution.objects("x", (2, 3)).tolist() == [[1, 1, 0], [0, 2, 0]]
    assert not solution.objects("y", (2, 3)).any()
    assert not solution.masks("nobody", (2, 3)).any()
