import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from toolkit.config.data.data import SourceKeys
from toolkit.core.masks.labels import BINARY, IGNORE, Classes
from toolkit.errors import DataError
from toolkit.files.data.finding import find_source
from toolkit.files.data.sources import LabelledImages

Find = Callable[..., LabelledImages]
SIZE = (12, 16)
TWO = Classes(("none", "cat", "dog"), "softmax", ((0,), (1,), (2,)))


@pytest.fixture
def find(draw: Callable[..., Path], tmp_path: Path) -> Find:
    def find(tree: Any, classes: Classes = BINARY, coco: bool = False) -> LabelledImages:
        draw("images/a.png", np.zeros(SIZE, np.uint8))
        path = tmp_path / ("coco.json" if coco else "shapes/a.json")
        path.parent.mkdir(exist_ok=True)
        path.write_text(tree if isinstance(tree, str) else json.dumps(tree))
        return find_source(
            SourceKeys(images=tmp_path / "images", masks=path if coco else path.parent), classes, 3, "data"
        )

    return find


def labelme(*shapes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"shapes": list(shapes), "imageHeight": SIZE[0], "imageWidth": SIZE[1], **more}


def shape(label: str, points: list[list[float]], kind: str = "polygon", **more: Any) -> dict[str, Any]:
    return {"label": label, "points": points, "shape_type": kind, **more}


SQUARE = [[2.0, 3.0], [5.0, 3.0], [5.0, 6.0], [2.0, 6.0]]


def png(*shape: int) -> str:
    """A mask of ones as labelme stores it."""
    return base64.b64encode(cv2.imencode(".png", np.ones(shape, np.uint8))[1].tobytes()).decode()


def coco(segmentation: Any, **more: Any) -> dict[str, Any]:
    image = {"id": 1, "file_name": "a.png", "height": SIZE[0], "width": SIZE[1]}
    annotation = {"id": 5, "image_id": 1, "category_id": 1, "segmentation": segmentation}
    return {"images": [image], "annotations": [annotation], "categories": [{"id": 1, "name": "cat"}]} | more


def test_labelme_draws_outlines_and_coco_does_not(find: Find) -> None:
    expected = np.zeros(SIZE, np.uint8)
    expected[3:7, 2:6] = 1
    np.testing.assert_array_equal(find(labelme(shape("cat", SQUARE))).read_labels("a"), expected)
    np.testing.assert_array_equal(
        find(labelme(shape("cat", [SQUARE[2], SQUARE[0]], "rectangle"))).read_labels("a"), expected
    )
    expected[6], expected[:, 5] = 0, 0
    polygon = [value for point in SQUARE for value in point]
    np.testing.assert_array_equal(find(coco([polygon]), coco=True).read_labels("a"), expected)


def test_circles_and_masks_have_areas_too(find: Find) -> None:
    circle = find(labelme(shape("cat", [[8, 6], [8, 9]], "circle"))).read_labels("a")
    rows, columns = np.nonzero(circle)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (3, 9, 5, 11)
    inner = np.array([[0, 1, 1], [1, 1, 0]], np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(inner * 255).save(buffer, "PNG")
    encoded = base64.b64encode(buffer.getvalue()).decode()
    for left, top in ((4, 5), (-1, -1), (14, 11)):
        pasted = find(labelme(shape("cat", [[left, top], [left + 2, top + 1]], "mask", mask=encoded))).read_labels("a")
        padded = np.zeros((SIZE[0] + 20, SIZE[1] + 20), np.uint8)
        padded[10 + top : 12 + top, 10 + left : 13 + left] = inner
        np.testing.assert_array_equal(pasted, padded[10:-10, 10:-10])


def test_later_shapes_of_exclusive_classes_cover_earlier_ones(find: Find) -> None:
    whole = [[0, 0], [15, 11]]
    for names in (("cat", "dog"), ("dog", "cat")):
        shapes = [shape(names[0], whole, "rectangle"), shape(names[1], SQUARE)]
        labels = find(labelme(*shapes), TWO).read_labels("a")
        assert labels[4, 4] == TWO.names.index(names[1])
        assert labels[0, 0] == TWO.names.index(names[0])
    both = find(labelme(*shapes), Classes(("cat", "dog"), values=((), ()))).read_labels("a")
    assert both[4, 4] == 3
    ignored = find(labelme(shape("dog", whole, "rectangle"), shape("void", SQUARE)), TWO).read_labels("a")
    assert ignored[4, 4] == IGNORE
    assert ignored[0, 0] == 2


def test_shapes_of_one_label_and_group_are_one_object(find: Find) -> None:
    def rectangle(left: int, label: str, group: int | None) -> dict[str, Any]:
        return shape(label, [[left, 1], [left + 1, 4]], "rectangle", group_id=group)

    data = find(
        labelme(rectangle(0, "cat", 1), rectangle(3, "cat", 1), rectangle(6, "cat", None), rectangle(9, "dog", 1)), TWO
    )
    objects = data.read_objects("a")
    assert objects is not None
    assert objects[2, [0, 3, 6, 9, 12]].tolist() == [1, 1, 2, 3, 0]


@pytest.mark.parametrize(
    ("tree", "told"),
    [
        (labelme(shape("cat", SQUARE[:2], "line")), r"a\.json: shape 0 \(cat\) is a line, which has no area"),
        (labelme(shape("cat", SQUARE[:2])), r"shape 0 \(cat\) has 2 points; a polygon needs 3 or more"),
        (labelme(shape("cat", SQUARE, "circle")), "has 4 points; a circle needs 2"),
        (labelme({"label": "cat"}), "is not a valid labelme file: KeyError 'points'"),
        (labelme(imageHeight=3), "a: the shapes were drawn on an image of 3×16, but the image is 12×16"),
        (labelme(imageHeight=None), "is not a valid labelme file: TypeError"),
        (labelme(shape("cat", SQUARE[:2], "mask", mask="!")), "has a mask that cannot be read"),
        (labelme(imageHeight=1e999), "is not a valid labelme file: OverflowError"),
        (
            labelme(shape("cat", [[float("nan"), 1], *SQUARE])),
            r"shape 0 \(cat\) has a point far outside .* not a number",
        ),
        (labelme(shape("cat", [[1, 1], [1, 1e12]], "rectangle")), "has a point far outside"),
        (labelme(shape("cat", [[1, float("inf")], [2, 2]], "mask", mask="!")), "has a point far outside"),
        (labelme(shape("cat", SQUARE[:2], "mask", mask=png(3, 3, 3))), "cannot be read: it has several channels"),
        (labelme(shape("cat", SQUARE[:2], "mask", mask=png(60, 60))), "60×60, far larger than the image"),
        ([], "is not a valid labelme file"),
        ("{", "is not valid JSON"),
        ("[" * 100_000, "is not valid JSON"),
    ],
)
def test_invalid_labelme_files_are_reported(find: Find, tree: Any, told: str) -> None:
    with pytest.raises(DataError, match=told):
        find(tree).read_labels("a")


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_shapes_on_an_image_with_an_orientation_tag_are_refused(find: Find, tmp_path: Path, orientation: int) -> None:
    data = find(labelme(shape("cat", SQUARE)))
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.zeros(SIZE, np.uint8)).save(tmp_path / "images" / "a.png", exif=exif)
    if orientation == 1:
        assert data.read_labels("a").sum() == 16
        return
    with pytest.raises(DataError, match=r"a\.png has an orientation tag") as told:
        data.read_labels("a")
    assert "exiftran" in told.value.advice
