"""Covers toolkit/files/masks/rle_tables.py and rle_rows.py."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from toolkit.config.data.competitions import PLAIN, Competition, find_competition
from toolkit.config.data.data import SourceKeys
from toolkit.core.masks.labels import BINARY, Classes
from toolkit.core.masks.rle import encode
from toolkit.errors import DataError
from toolkit.files.data.finding import find_source
from toolkit.files.data.sources import LabelledImages
from toolkit.files.inspection import label_findings
from toolkit.files.inspection.checking import check_training_data
from toolkit.files.masks.rle_tables import MaskTable
from toolkit.messages import Silent

STEEL = Classes(("1", "2", "3", "4"), values=((1,), (2,), (3,), (4,)))
SIZE = (5, 8)


def changed(name: str, **keys: object) -> Competition:
    return Competition.model_validate(find_competition(name).model_dump() | {"label_size": None} | keys)


@pytest.fixture
def labelled(draw: Callable[..., Path], tmp_path: Path) -> Callable[..., LabelledImages]:
    """Images of 5×8 with these ids, and a CSV file with these rows, read in the format of a competition."""

    def labelled(
        form: Competition, ids: str, *rows: str, classes: Classes = BINARY, unlabelled: Any = None
    ) -> LabelledImages:
        random = np.random.default_rng(1)
        for image_id in ids.split():
            draw(f"images/{image_id}.png", random.integers(0, 256, SIZE, np.uint8))
        (tmp_path / "train.csv").write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
        keys = SourceKeys(images=tmp_path / "images", masks=tmp_path / "train.csv", unlabelled=unlabelled)
        return find_source(keys, classes, 3, "data", competition=form)

    return labelled


def random_masks(count: int, density: float = 0.3) -> np.ndarray:
    return np.random.default_rng(count).random((count, *SIZE)) < density


def test_rows_of_an_image_are_combined(labelled: Callable[..., LabelledImages]) -> None:
    form = changed("siim-acr")
    first, second, third = random_masks(3)
    uid = "1.2.276.0.7230010.3.1.4.8323329.10000.1517875220.938530"
    rows = [f"{uid}, {encode(mask, relative=True)}" for mask in (first, second)]
    data = labelled(form, f"{uid} a", "\ufeffImageId, EncodedPixels", *rows, f"b,{encode(third)}", "a, -1")
    assert np.array_equal(data.read_labels(uid), first | second)
    assert not data.read_labels("a").any()
    assert data.read_objects(uid) is None


@pytest.mark.parametrize(
    "rows",
    [
        ["ImageId_ClassId,EncodedPixels", "a.jpg_1,{0}", "a.jpg_2,", "a.jpg_3,{1}", "a.jpg_4,{2}"],
        ["ImageId,ClassId,EncodedPixels", "a.jpg,3,{1}", "a.jpg,4,{2}", "a.jpg,1,{0}"],
        ["ClassId,EncodedPixels,note,ImageId", "3,{1},x,a.jpg", "4,{2},x,a.jpg", "1,{0},x,a.jpg"],
    ],
)
def test_rows_of_classes_may_overlap(labelled: Callable[..., LabelledImages], rows: list[str]) -> None:
    masks = random_masks(3, 0.6)
    data = labelled(changed("severstal"), "a b", *(row.format(*map(encode, masks)) for row in rows), classes=STEEL)
    planes = data.classes.planes(data.read_labels("a"))
    for number, expected in enumerate((masks[0], np.zeros(SIZE), masks[1], masks[2])):
        assert np.array_equal(planes[..., number], expected)
    assert not data.read_labels("b").any()  # an image without a row has no defect
    index = check_training_data(data, Silent())
    assert index.pixels[0].tolist() == [masks[0].sum(), 0, masks[1].sum(), masks[2].sum()]
    assert index.coverage[0] == pytest.approx(masks.any(axis=0).mean())


def test_exclusive_classes_that_overlap_are_reported_with_the_image(labelled: Callable[..., LabelledImages]) -> None:
    classes = Classes(("none", *STEEL.names), "softmax", tuple((value,) for value in range(5)))
    rows = ["ImageId_ClassId,EncodedPixels", "a.jpg_1,1 3", "a.jpg_2,3 2", "b.jpg_1,1 3", "b.jpg_4,4 2"]
    data = labelled(changed("severstal"), "a b", *rows, classes=classes)
    assert np.array_equal(data.read_labels("b").ravel(order="F")[:6], [1, 1, 1, 4, 4, 0])
    with pytest.raises(DataError, match="the masks of 1 and 2 share pixels; exclusive classes cannot"):
        data.read_labels("a")


def test_rows_of_objects_are_objects_even_one_by_one(labelled: Callable[..., LabelledImages]) -> None:
    data = labelled(changed("airbus"), "a b", "ImageId,EncodedPixels", "a.jpg,1 2 9 2", "b.jpg,")
    objects = data.read_objects("a")
    assert objects is not None
    assert objects.max() == 1
    assert np.array_equal(objects > 0, data.read_labels("a") == 1)
    nothing = data.read_objects("b")
    assert nothing is not None
    assert not nothing.any()


def test_rows_of_pixels_are_read_along_the_rows(labelled: Callable[..., LabelledImages]) -> None:
    mask = random_masks(1)[0]
    data = labelled(changed("carvana"), "a_01", "img,rle_mask", f"a_01.jpg,{encode(mask, 'row')}")
    assert np.array_equal(data.read_labels("a_01"), mask)


def test_columns_are_found_by_name_among_others(labelled: Callable[..., LabelledImages]) -> None:
    mask = random_masks(1)[0]
    rows = ["width,id,cell_type,annotation", f"8,a,astro,{encode(mask, 'row')}"]
    assert np.array_equal(labelled(changed("sartorius"), "a", *rows).read_labels("a"), mask)
    with pytest.raises(
        DataError, match=r"train\.csv:1: expected the columns id, annotation or id, predicted, received"
    ):
        labelled(changed("sartorius"), "a", "width,id,annotations", "8,a,1 1")


LABELS = [  # excerpts of original files of Kaggle
    ("tgs-salt", "id,rle_mask", "{id},{runs}"),
    ("siim-acr", "ImageId, EncodedPixels", "{id}, {runs}"),
    ("severstal", "ImageId_ClassId,EncodedPixels", "{id}.jpg_1,{runs}"),
    ("severstal", "ImageId,ClassId,EncodedPixels", "{id}.jpg,1,{runs}"),
    ("clouds", "Image_Label,EncodedPixels", "{id}.jpg_Fish,{runs}"),
    ("airbus", "ImageId,EncodedPixels", "{id}.jpg,{runs}"),
    ("dsb2018", "ImageId,EncodedPixels", "{id},{runs}"),
    ("dsb2018", "ImageId,EncodedPixels,Height,Width,Usage", "{id},{runs},5,8,Public"),  # the solution
    (
        "sartorius",
        "id,annotation,width,height,cell_type,plate_time,sample_date,sample_id,elapsed_timedelta",
        "{id},{runs},8,5,shsy5y,11h30m00s,2019-06-16,shsy5y[diff],0 days 11:30:00",
    ),
    ("carvana", "img,rle_mask", "{id}.jpg,{runs}"),
    ("hubmap", "id,encoding", "{id},{runs}"),
    ("uw-madison", "id,class,segmentation", "{id},large_bowel,{runs}"),
]


@pytest.mark.parametrize(("name", "header", "row"), LABELS)
def test_original_tables_of_labels_are_read(
    labelled: Callable[..., LabelledImages], name: str, header: str, row: str
) -> None:
    form = changed(name)
    mask = random_masks(1)[0]
    runs = encode(mask, form.pixel_order, form.relative)
    count = len(form.classes)
    classes = Classes(form.classes, values=tuple((n + 1,) for n in range(count))) if count else BINARY
    image_id = "case123_day20_slice_0001" if name == "uw-madison" else "0002cc93b"
    data = labelled(form, image_id, header, row.format(id=image_id, runs=runs), classes=classes)
    assert np.array_equal(data.read_labels(image_id), mask)


def test_a_class_name_that_ends_like_another_is_resolved_by_the_existing_images(
    labelled: Callable[..., LabelledImages],
) -> None:
    form = changed("severstal", classes=("sky", "night_sky"), id="{id}_{class}", label_columns=None, label_id=None)
    classes = Classes(form.classes, values=((1,), (2,)))
    first, second = random_masks(2)
    form = form.model_copy(update={"columns": ("id", "rle")})

    def read(ids: str, image_id: str) -> LabelledImages:
        rows = ["id,rle", f"{image_id}_night_sky,{encode(first)}", f"x_sky,{encode(second)}"]
        return labelled(form, f"{ids} x", *rows, classes=classes)

    assert np.array_equal(read("a", "a").read_labels("a"), 2 * first)
    assert np.array_equal(read("b_night", "b").read_labels("b_night"), first)
    told = r"line 2: the id may mean class night_sky of image c or class sky of image c_night; both images exist"
    with pytest.raises(DataError, match=told):
        read("c c_night", "c")


def test_labels_of_another_size_are_scaled_with_a_warning(labelled: Callable[..., LabelledImages]) -> None:
    class Told(Silent):
        text = ""

        def warn(self, message: str) -> None:
            self.text += message

    mask = random_masks(1)[0]
    large = mask.repeat(3, axis=0).repeat(3, axis=1)
    data = labelled(changed("tgs-salt", label_size=large.shape), "a", "id,rle_mask", f"a,{encode(large)}")
    assert np.array_equal(data.read_labels("a"), mask)
    told = Told()
    check_training_data(data, told)
    assert "1 image is not 15×24: masks are scaled to the size of their image: a" in told.text


def test_the_digest_covers_how_the_table_is_read(labelled: Callable[..., LabelledImages]) -> None:
    rows = ["id,rle_mask", "a,1 2"]
    forms = [
        changed("tgs-salt", **keys) for keys in ({}, {"pixel_order": "row"}, {"relative": True}, {"rows": "object"})
    ]
    forms.append(changed("tgs-salt", label_size=(10, 16)))
    assert len({labelled(form, "a", *rows).masks.content("a") for form in forms}) == len(forms)
    same = changed("tgs-salt", empty="none", output_size=(3, 3))
    assert labelled(same, "a", *rows).masks.content("a") == labelled(forms[0], "a", *rows).masks.content("a")


@pytest.mark.parametrize(
    ("name", "rows", "problem"),
    [
        ("airbus", ["ImageId,EncodedPixels", "a,1 1"], r"line 2: expected \{id\}\.jpg, received 'a'"),
        (
            "severstal",
            ["ImageId,ClassId,EncodedPixels", "a.jpg,5,1 1"],
            "line 2: expected one of the classes 1, 2, 3, 4",
        ),
        ("tgs-salt", ["id,mask,x", "a,1 1,2"], "expected the columns id, rle_mask, received id, mask, x"),
    ],
)
def test_a_table_of_another_competition_is_refused(
    labelled: Callable[..., LabelledImages], name: str, rows: list[str], problem: str
) -> None:
    with pytest.raises(DataError, match=problem):
        labelled(changed(name), "a", *rows, classes=STEEL if name == "severstal" else BINARY)


def test_an_invalid_row_is_reported_with_its_image(labelled: Callable[..., LabelledImages]) -> None:
    data = labelled(changed("tgs-salt"), "a", "id,rle_mask", "a,1 2 3")
    with pytest.raises(
        DataError, match=r"a: the run-length encoding is not valid for an image of 5×8: .*odd count of 3"
    ):
        data.read_labels("a")


@pytest.mark.parametrize(
    ("name", "classes"),
    [
        ("severstal", BINARY),
        ("severstal", Classes(("1", "2", "5"), values=((1,), (2,), (3,)))),
        ("severstal", Classes(STEEL.names, values=((2,), (1,), (3,), (4,)))),
        ("tgs-salt", STEEL),
        ("tgs-salt", Classes(ignore=(3,))),
    ],
)
def test_classes_that_the_table_does_not_have_are_refused(
    labelled: Callable[..., LabelledImages], name: str, classes: Classes
) -> None:
    with pytest.raises(DataError, match="is a table of run-length encodings of"):
        labelled(changed(name), "a", "id,rle_mask", "a,", classes=classes)


def test_a_table_is_the_same_in_another_process() -> None:
    table = MaskTable({"a": ((None, "1 2"), (None, "5 1"))})
    sent = pickle.loads(pickle.dumps(table))
    assert sent.content("a") == table.content("a") == b"1 2\n5 1"
    assert sent.stamp("a") == table.stamp("a")
    np.testing.assert_array_equal(table.read_objects("a", (2, 3)), [[1, 0, 2], [1, 0, 0]])
    np.testing.assert_array_equal(sent.read_objects("a", (2, 3)), [[1, 0, 2], [1, 0, 0]])


def test_ids_in_another_spelling_are_read_and_said(labelled: Callable[..., LabelledImages]) -> None:
    data = labelled(PLAIN, "007 010", "id,rle", "7,1 2", "10.0,3 4")
    assert [data.read_labels(one).sum() for one in ("007", "010")] == [2, 4]
    ((remark, ids),) = data.masks.remarks
    assert "leading zeros" in remark
    assert ids == ("007", "010")
    assert [found.check for found in label_findings.remarks(data)] == ["table"]


def test_a_first_line_that_is_a_row_is_read(labelled: Callable[..., LabelledImages]) -> None:
    data = labelled(PLAIN, "a b", "a,1 2", "b,3 4")
    assert [data.read_labels(one).sum() for one in ("a", "b")] == [2, 4]
    assert "no header" in data.masks.remarks[0][0]


def test_repeated_and_contradicting_rows_are_said(labelled: Callable[..., LabelledImages]) -> None:
    data = labelled(PLAIN, "a b", "id,rle", "a,1 2", "a,1 2", "b,3 4", "b,")
    assert [data.read_labels(one).sum() for one in ("a", "b")] == [2, 4]
    assert data.masks.has_objects is False
    assert [ids for _, ids in data.masks.remarks] == [("a",), ("b",)]


@pytest.mark.parametrize("word", ["nan", "None", "[]", "0 0"])
def test_another_word_for_an_empty_mask_is_refused_with_the_key_that_reads_it(
    labelled: Callable[..., LabelledImages], word: str
) -> None:
    with pytest.raises(DataError, match=r"1 row") as told:
        labelled(PLAIN, "a b", "id,rle", "a,1 2", f"b,{word}")
    assert f'empty: "{word}"' in told.value.advice
    with pytest.raises(DataError, match=r"1 row") as told:
        labelled(changed("tgs-salt"), "a b", "id,rle_mask", "a,1 2", f"b,{word}")
    assert f'{{extends: tgs-salt, label_empty: "{word}"}}' in told.value.advice
    for form in (changed("tgs-salt", label_empty=word), changed("tgs-salt", empty=word)):
        assert not labelled(form, "a b", "id,rle_mask", "a,1 2", f"b,{word}").read_labels("b").any()


@pytest.mark.parametrize("unlisted", ["error", "empty"])
def test_an_image_without_a_row_is_what_unlabelled_says(labelled: Callable[..., LabelledImages], unlisted: str) -> None:
    form = changed("tgs-salt", unlisted=unlisted)
    rows = ("id,rle_mask", "a,1 2")
    empty = labelled(form, "a b", *rows, unlabelled="empty")
    assert (empty.images.ids, empty.read_labels("b").any()) == (("a", "b"), False)
    assert labelled(form, "a b", *rows, unlabelled="leave_out").images.ids == ("a",)
    with pytest.raises(DataError, match="the mask is missing") as told:
        labelled(form, "a b", *rows, unlabelled="error").read_labels("b")
    assert "unlabelled: empty" in told.value.advice
    by_default = labelled(form, "a b", *rows)
    assert ("b" in set(by_default.masks.ids)) == (unlisted == "empty")
