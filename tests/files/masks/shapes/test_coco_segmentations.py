from typing import Any

import numpy as np
import pytest
from pycocotools import mask as tools

from toolkit.files.masks.shapes.coco_segmentations import draw_segmentation, has_area, parts_of

SIZE = (6, 8)
FLAT = [1, 1, 5, 1, 5, 4, 1, 4]


def square() -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[1:4, 1:5] = True
    return mask


@pytest.mark.parametrize(
    "found",
    [
        [FLAT],
        FLAT,
        [[1, 1], [5, 1], [5, 4], [1, 4]],
        [[[1, 1], [5, 1], [5, 4], [1, 4]]],
        [FLAT, [1.0, 1.0, 2.0, 2.0]],
        [FLAT, []],
        {"size": [6, 8], "counts": [7, 3, 3, 3, 3, 3, 3, 3, 20]},
        [{"size": [6, 8], "counts": [7, 3, 3, 3, 3, 3, 3, 3, 20]}],
    ],
)
def test_every_form_of_the_same_shape_is_the_same_mask(found: Any) -> None:
    np.testing.assert_array_equal(draw_segmentation(found, SIZE), square())


def test_compressed_and_plain_lengths_are_equal() -> None:
    encoded = tools.encode(np.asfortranarray(square().astype(np.uint8)))
    for counts in (encoded["counts"], encoded["counts"].decode()):
        np.testing.assert_array_equal(draw_segmentation({"size": [6, 8], "counts": counts}, SIZE), square())


def test_polygons_of_an_object_are_united() -> None:
    both = draw_segmentation([FLAT, [5, 4, 8, 4, 8, 6, 5, 6]], SIZE)
    assert both.sum() == square().sum() + 6


@pytest.mark.parametrize("found", [None, [], [[]], [[1, 2, 3, 4]], [[1, 2], [3, 4]]])
def test_what_has_no_area_is_left_out(found: Any) -> None:
    assert not has_area(found)
    assert parts_of(found) == []


@pytest.mark.parametrize("found", ["a", [["a"]], [[1, 2, 3, 4, 5, 6, 7]], 3, [[True, 1, 2, 2, 3, 3]]])
def test_anything_else_is_an_error_and_not_left_out(found: Any) -> None:
    assert has_area(found)
    with pytest.raises(ValueError, match="expected polygons"):
        draw_segmentation(found, SIZE)
