import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from toolkit.config.data.data import SourceKeys
from toolkit.core.masks.labels import BINARY, Classes
from toolkit.errors import DataError
from toolkit.files.data.finding import find_source
from toolkit.files.data.sources import LabelledImages
from toolkit.files.inspection.value_findings import unknown_labels

Find = Callable[..., LabelledImages]
SIZE = (12, 16)
SQUARE = [2, 3, 6, 3, 6, 7, 2, 7]
"""Columns 2 to 5 and rows 3 to 6."""
TWO = Classes(("cat", "dog"), "sigmoid", ((), ()))


@pytest.fixture
def find(draw: Callable[..., Path], tmp_path: Path) -> Find:
    def find(tree: Any, *names: str, classes: Classes = BINARY, images: str = "images") -> LabelledImages:
        for name in names or ("a.png",):
            draw(f"images/{name}", np.zeros(SIZE, np.uint8))
        path = tmp_path / "coco.json"
        path.write_bytes(tree if isinstance(tree, bytes) else json.dumps(tree).encode())
        return find_source(SourceKeys(images=tmp_path / images, masks=path), classes, 3, "data")

    return find


def image(name: str = "a.png", number: Any = 1, **more: Any) -> dict[str, Any]:
    return {"id": number, "file_name": name, "height": SIZE[0], "width": SIZE[1]} | more


def shape(segmentation: Any, number: Any = 1, category: Any = 1, **more: Any) -> dict[str, Any]:
    return {"id": 5, "image_id": number, "category_id": category, "segmentation": segmentation} | more


def coco(*shapes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"images": [image()], "annotations": list(shapes), "categories": [{"id": 1, "name": "cat"}]} | more


def is_square(labels: np.ndarray, value: int = 1) -> bool:
    expected = np.zeros(SIZE, np.uint8)
    expected[3:7, 2:6] = value
    return bool((labels == expected).all())


@pytest.mark.parametrize(
    ("tree", "told"),
    [
        (coco(shape([[1, 2, 3, 4, 1e9, 3]])), "annotation 5 is not valid: a point is far outside"),
        (coco(shape([[1, 2, 3, 4, float("nan"), 3]])), "annotation 5 is not valid: a point is far outside"),
        (coco(shape([["a"]])), "annotation 5 is not valid: expected polygons"),
        (coco(shape({"size": [12, 17], "counts": [204]})), r"annotation 5 is not valid: it has size \[12, 17\]"),
        (
            coco(shape({"size": [12, 16], "counts": [100]})),
            "annotation 5 is not valid: expected lengths of at least 0 for 12×16",
        ),
        (coco(shape({"size": [12, 16]})), "annotation 5 is not valid: 'counts'"),
        (coco(shape({"size": [12, 16], "counts": [10**30]})), "annotation 5 is not valid: .*too large"),
        (coco(shape([SQUARE]), images=[image(height=640, width=720)]), "on an image of 640×720, but the image is"),
        (coco(shape([]), shape([[1, 2, 3, 4]]), shape(None)), "none of the 3 annotations .* has a shape"),
        (coco(shape([SQUARE]), images=[]), "none of the 1 annotation .* has a shape on one of its images"),
        (coco(shape([SQUARE], category=9)), r"annotation 5 has the category 9, but the categories are 1 \(cat\)"),
        (coco(shape([SQUARE]), images=[{"id": 1, "file_name": None}]), "is not a COCO file.*file_name is None"),
        (coco(shape([SQUARE]), images=[image(height=1e999)]), "is not a COCO file"),
        (coco(shape([SQUARE]), images=[image(), image("b.png")]), "two images have the id 1: a.png and b.png"),
        (coco(shape([SQUARE]), images=[image(), image(number=2)]), "lists the image a.png 2 times"),
        (coco(3), "is not a COCO file.*an annotation is not an object"),
        ({"images": []}, "is not a COCO file with images, categories and annotations: KeyError 'categories'"),
        ([1], "is not a COCO file"),
        (b"{", "is not valid JSON"),
    ],
)
def test_invalid_coco_files_are_reported(find: Find, tree: Any, told: str) -> None:
    with pytest.raises(DataError, match=told):
        find(tree).read_labels("a")


def test_another_tool_s_document_is_refused_with_its_converter(find: Find) -> None:
    with pytest.raises(DataError, match="is not a COCO file") as told:
        find([{"id": 1, "data": {"image": "a.png"}, "annotations": []}])
    assert "It is Label Studio's own JSON" in told.value.advice


def test_images_without_annotations_are_empty_and_unknown_ones_have_no_mask(find: Find) -> None:
    assert not find(coco()).read_labels("a").any()
    with pytest.raises(DataError, match="a: the mask is missing"):
        find(coco(images=[image("b.png")])).read_labels("a")


def test_one_annotation_without_a_shape_does_not_spoil_an_image(find: Find) -> None:
    data = find(coco(shape([SQUARE]), shape([]), shape([[1, 1, 2, 2]]), shape([SQUARE], number=7)))
    assert is_square(data.read_labels("a"))
    told = [finding.message for finding in unknown_labels(data)]
    assert "2 annotations have no shape with an area" in told[0]
    assert "1 annotation belongs to no image of the file" in told[1]
    assert list(unknown_labels(find(coco(shape([SQUARE]))))) == []


@pytest.mark.parametrize(("number", "told"), [(1, 1), ("1", 1), (1, "1"), ("img-7", "img-7"), (0, 0)])
def test_ids_of_images_may_be_numbers_or_text(find: Find, number: Any, told: Any) -> None:
    assert is_square(find(coco(shape([SQUARE], number=told), images=[image(number=number)])).read_labels("a"))


def test_numbers_of_categories_may_have_gaps_and_names_may_be_numbers(find: Find) -> None:
    categories = [{"id": 0, "name": "all"}, {"id": 7, "name": 3}, {"id": 90, "name": "dog"}]
    data = find(
        coco(shape([SQUARE], category=7), categories=categories),
        classes=Classes(("3", "dog"), "sigmoid", ((), ())),
    )
    assert is_square(data.read_labels("a"))
    with pytest.raises(DataError, match="has no category cat; its categories are all, 3, dog"):
        find(coco(shape([SQUARE], category=7), categories=categories), classes=TWO)


def test_a_crowd_is_foreground_too(find: Find) -> None:
    counts = np.zeros(SIZE, int)
    counts[3:7, 2:6] = 1
    flat = counts.T.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    lengths = np.diff([0, *edges, flat.size]).tolist()
    assert is_square(find(coco(shape({"size": list(SIZE), "counts": lengths}, iscrowd=1))).read_labels("a"))


def test_a_file_without_sizes_is_drawn_at_the_size_of_the_image(find: Find) -> None:
    tree = coco(shape([SQUARE]), images=[{"id": 1, "file_name": "a.png"}])
    assert is_square(find(tree).read_labels("a"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_may_have_a_byte_order_mark(find: Find, encoding: str) -> None:
    tree = coco(shape([SQUARE]), images=[image("ä.png")])
    data = find(json.dumps(tree, ensure_ascii=False).encode(encoding), "ä.png")
    assert is_square(data.read_labels("ä"))


def test_images_with_equal_names_in_several_folders_have_their_own_masks(find: Find) -> None:
    names = ("cam1/07.png", "cam2/07.png")
    tree = coco(shape([SQUARE], number=2), images=[image(names[0]), image(names[1], 2)])
    data = find(tree, *names)
    assert data.images.ids == ("cam1_07", "cam2_07")
    assert not data.read_labels("cam1_07").any()
    assert is_square(data.read_labels("cam2_07"))
    alone = find(tree, images="images/cam2")
    assert alone.images.ids == ("07",)
    assert is_square(alone.read_labels("07"))


def test_images_beside_listed_ones_need_a_mask_too(find: Find) -> None:
    tree = coco(shape([SQUARE]), images=[image("x/a.png")])
    data = find(tree, "x/a.png", "x/b.png", "y/c.png")
    assert data.images.ids == ("a", "b")
    with pytest.raises(DataError, match="b: the mask is missing"):
        data.read_labels("b")


def test_copies_in_a_folder_below_do_not_make_names_doubtful(find: Find) -> None:
    data = find(coco(shape([SQUARE])), "a.png", "small/a.png")
    assert data.images.ids == ("a",)
    assert is_square(data.read_labels("a"))


def test_a_name_in_several_folders_is_refused_with_the_folder_to_name(find: Find) -> None:
    with pytest.raises(DataError, match=r"a\.png may be") as told:
        find(coco(shape([SQUARE])), "left/a.png", "right/a.png")
    assert "Name the folder that holds these images" in told.value.advice


def test_the_name_of_a_missing_image_is_not_taken_for_an_id(find: Find) -> None:
    tree = coco(shape([SQUARE], number=2), images=[image("x/07.png"), image("07", 2)])
    data = find(tree, "x/07.png", images="images/x")
    assert data.images.ids == ("07",)
    assert not data.read_labels("07").any()


def test_names_cannot_leave_the_folder(find: Find, draw: Callable[..., Path]) -> None:
    draw("secret.png", np.zeros(SIZE, np.uint8))
    tree = coco(shape([SQUARE]), images=[image("../secret.png"), image("x/a.png", 2)])
    assert find(tree, "x/a.png").images.ids == ("a",)
