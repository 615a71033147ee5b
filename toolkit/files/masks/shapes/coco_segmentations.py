"""Segmentations of COCO annotations: polygons in the forms that tools write them, and run-length encodings."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from pycocotools import mask as coco_masks

from toolkit.core.arrays import Mask
from toolkit.core.masks.coco_rle import decode_coco
from toolkit.files.masks.shapes.drawings import FAR

_FEWEST = 6  # numbers of a polygon: three points


def parts_of(found: Any) -> list[Any]:
    """The polygons, as flat lists of x and y, and the run-length encodings of a segmentation that have an area.

    Polygons of fewer than three points, empty lists and missing segmentations are left out: they have none.

    Raises:
        ValueError: it is something else.
    """
    if found is None:
        return []
    if isinstance(found, dict):
        return [found]
    if not isinstance(found, list):
        raise ValueError("expected polygons or a run-length encoding")
    if found and _are_numbers(found):  # a single polygon, not in a list
        found = [found]
    if len(found) > 2 and all(_is_point(one) for one in found):  # a single polygon as a list of points
        found = [found]
    parts: list[Any] = []
    for one in found:
        if isinstance(one, dict) or (isinstance(one, list) and len(one) % 2 == 0 and _are_numbers(one)):
            parts.append(one)
        elif isinstance(one, list) and one and all(_is_point(point) for point in one):
            parts.append([value for point in one for value in point])
        else:
            raise ValueError("expected polygons as lists of x1, y1, x2, y2, …, or a run-length encoding")
    return [one for one in parts if isinstance(one, dict) or len(one) >= _FEWEST]


def has_area(found: Any) -> bool:
    """Whether a segmentation has a polygon of at least three points or a run-length encoding; invalid ones count."""
    try:
        return bool(parts_of(found))
    except ValueError:
        return True


def draw_segmentation(found: Any, size: tuple[int, int]) -> Mask:
    """Fill polygons and decode run-length encodings as the COCO tools do, `bool (height, width)`.

    Raises:
        KeyError, TypeError, ValueError, OverflowError: the segmentation is not valid, or has another size.
    """
    mask = np.zeros(size, np.bool_)
    for part in parts_of(found):
        mask |= _decoded(part, size) if isinstance(part, dict) else _filled(part, size)
    return mask


def _decoded(found: dict[str, Any], size: tuple[int, int]) -> Mask:
    if list(found["size"]) != list(size):
        raise ValueError(f"it has size {found['size']}, but its image {list(size)}")
    return decode_coco(found["counts"], size)


def _filled(polygon: Sequence[float], size: tuple[int, int]) -> Mask:
    if not (np.abs(np.array(polygon, np.float64)) <= FAR * max(size)).all():
        raise ValueError("a point is far outside the image")
    (encoded,) = coco_masks.frPyObjects([list(map(float, polygon))], *size)
    return decode_coco(encoded["counts"], size)


def _are_numbers(values: list[Any]) -> bool:
    return set(map(type, values)) <= {int, float}


def _is_point(one: Any) -> bool:
    return isinstance(one, list) and len(one) == 2 and _are_numbers(one)
