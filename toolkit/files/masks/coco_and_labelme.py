"""Masks that were drawn as shapes: labelme's JSON files, one for each image, and COCO's, one for all."""

import base64
import binascii
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image as PillowImage
from PIL import ImageDraw
from pycocotools import mask as coco_masks

from toolkit.core.arrays import Mask, Objects
from toolkit.core.masks.coco_rle import decode_coco
from toolkit.core.masks.labels import IGNORE, Classes
from toolkit.errors import DataError, MissingFileError
from toolkit.files.images.decoding import image_id_of
from toolkit.files.images.tiff_files import Box

BACKGROUND = "background"
_IGNORED_LABELS = ("ignore", "void")  # of shapes, as people call them in such files
BACKGROUND_FIRST = "Put a background before it in classes, or set activation: sigmoid."
_FAR = 10  # times the longer side


class ShapeError(DataError):
    """A shape that cannot be drawn; the message says where it stands."""


@dataclass(frozen=True)
class Drawing:
    """The shapes of one image, in the order in which they were drawn.

    Each has the class that it shows, the object that it is a part of, and what draws it, `bool (height, width)`.
    """

    size: tuple[int, int]
    shapes: Sequence[tuple[str, Any, Callable[[], Mask]]]


class Drawings(Protocol):
    """Where drawings come from."""

    @property
    def ids(self) -> Iterable[str]:
        """Ids of the images that were drawn on."""

    def read(self, image_id: str) -> Drawing:
        """The shapes of one image; raises KeyError if there are none, ShapeError if they cannot be read."""

    def content(self, image_id: str) -> bytes:
        """What the shapes are made from, for digests."""


@dataclass(frozen=True)
class Shapes:
    """Masks of shapes of named classes.

    With a single class, unnamed, every shape shows it. Shapes of other classes are background, those called void are
    void. Of exclusive classes, what is drawn later lies on top.
    """

    drawings: Drawings
    classes: Classes
    refuse_turned: Callable[[str], None]
    size: None = None

    @property
    def ids(self) -> Iterable[str]:
        """Ids of images that have shapes, or none."""
        return self.drawings.ids

    def read(self, image_id: str, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
        """Draw the shapes of one image: one plane a class, of the size that they were drawn on."""
        self.refuse_turned(image_id)
        drawing = self._drawing(image_id, size)
        names = self.classes.names[1:] if self.classes.activation == "softmax" else self.classes.names
        planes = np.zeros((*drawing.size, len(names)), np.uint8)
        ignored = np.zeros(drawing.size, np.bool_)
        for name, _, draw in drawing.shapes:
            place, is_ignored = self._place(name, names), name in _IGNORED_LABELS and name not in self.classes.names
            if place is None and not is_ignored and self.classes.activation == "sigmoid":
                continue
            mask = draw()
            if self.classes.activation == "softmax":
                if name == self.classes.names[0] and BACKGROUND not in name.lower():
                    raise ShapeError(
                        f"{image_id}: its shapes of {name} would be background, as the first exclusive class is",
                        BACKGROUND_FIRST,
                    )
                planes[mask] = 0
            if place is not None:
                planes[:, :, place][mask] = 1
            ignored[mask] = is_ignored
        planes[ignored] = IGNORE
        return planes

    def window(self, image_id: str, size: tuple[int, int], box: Box) -> None:
        """None: what was drawn last is kept instead."""

    def read_objects(self, image_id: str, size: tuple[int, int]) -> Objects:
        """Number the objects of one image from 1; what is drawn later lies on top."""
        drawing = self._drawing(image_id, size)
        names = self.classes.names[1:] if self.classes.activation == "softmax" else self.classes.names
        objects, numbers = np.zeros(drawing.size, np.int32), dict[Any, int]()
        for name, key, draw in drawing.shapes:
            if self._place(name, names) is not None:
                objects[draw()] = numbers.setdefault(key, len(numbers) + 1)
        return objects

    def content(self, image_id: str) -> bytes:
        """What is said of the image, and of which classes."""
        return self.drawings.content(image_id) + repr(self.classes.names).encode()

    def _drawing(self, image_id: str, size: tuple[int, int]) -> Drawing:
        drawing = self.drawings.read(image_id)
        if drawing.size != size:
            drawn, there = (f"{height}×{width}" for height, width in (drawing.size, size))
            raise ShapeError(f"{image_id}: its shapes were drawn on {drawn} pixels, the image is {there}")
        return drawing

    def _place(self, name: str, names: Sequence[str]) -> int | None:
        if names == ("foreground",) and name not in _IGNORED_LABELS:
            return 0
        return names.index(name) if name in names else None


@dataclass(frozen=True)
class LabelmeFiles:
    """JSON files of labelme (https://github.com/wkentaro/labelme), one for each image; drawn as labelme draws them."""

    paths: Mapping[str, Path]

    @property
    def ids(self) -> Iterable[str]:
        """Ids that have a file."""
        return self.paths.keys()

    def read(self, image_id: str) -> Drawing:
        """The shapes of a file, those of one label and group_id as one object."""
        path = self.paths[image_id]
        tree = _read_json(path, str(path))
        try:
            size = (int(tree["imageHeight"]), int(tree["imageWidth"]))
            shapes = [
                (str(shape["label"]), _labelme_object(number, shape), _labelme_drawer(path, number, shape, size))
                for number, shape in enumerate(tree["shapes"])
            ]
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ShapeError(f"{path} is no file of labelme: {type(error).__name__} {error}") from error
        return Drawing(size, shapes)

    def content(self, image_id: str) -> bytes:
        """Size and shapes, without the copy of the image that labelme stores with them."""
        tree = _read_json(self.paths[image_id], str(self.paths[image_id]))
        kept = {key: tree.get(key) for key in ("imageHeight", "imageWidth", "shapes")} if isinstance(tree, dict) else 0
        return json.dumps(kept, sort_keys=True).encode()


def _labelme_object(number: int, shape: Mapping[str, Any]) -> Any:
    group = shape.get("group_id")
    return number if group is None else (str(shape["label"]), str(group))


def _labelme_drawer(path: Path, number: int, shape: Mapping[str, Any], size: tuple[int, int]) -> Callable[[], Mask]:
    kind = shape.get("shape_type") or "polygon"
    points = [(float(x), float(y)) for x, y in shape["points"]]
    where = f"{path}: shape {number} ({shape['label']})"
    needed = {"polygon": 3, "rectangle": 2, "circle": 2, "mask": 2}
    if kind not in needed:
        raise ShapeError(
            f"{where} is a {kind}, which has no area", f"Draw {', '.join(list(needed)[:-1])} or mask instead."
        )
    if len(points) < needed[kind] or (kind != "polygon" and len(points) != needed[kind]):
        raise ShapeError(f"{where} has {len(points)} points, a {kind} needs {needed[kind]}")
    if not all(abs(value) <= _FAR * max(size) for point in points for value in point):
        raise ShapeError(f"{where} has a point far outside the image, or one that is no number")
    if kind == "mask":
        return lambda: _pasted(where, shape.get("mask"), points, size)
    return lambda: _drawn(kind, points, size)


def _drawn(kind: str, points: Sequence[tuple[float, float]], size: tuple[int, int]) -> Mask:
    """As `labelme.utils.shape_to_mask` draws it: with its outline."""
    image = PillowImage.new("L", (size[1], size[0]), 0)
    pen = ImageDraw.Draw(image)
    if kind == "circle":
        (x, y), (end_x, end_y) = points
        radius = float(np.hypot(x - end_x, y - end_y))
        pen.ellipse([x - radius, y - radius, x + radius, y + radius], outline=1, fill=1)
    elif kind == "rectangle":
        (x, y), (end_x, end_y) = points
        pen.rectangle([min(x, end_x), min(y, end_y), max(x, end_x), max(y, end_y)], outline=1, fill=1)
    else:
        pen.polygon(list(points), outline=1, fill=1)
    return np.asarray(image) > 0


def _pasted(where: str, encoded: Any, points: Sequence[tuple[float, float]], size: tuple[int, int]) -> Mask:
    """A mask that labelme stores as a PNG, and the corner where it lies."""
    try:
        image = PillowImage.open(io.BytesIO(base64.b64decode(encoded)))
        if image.width * image.height > _FAR * size[0] * size[1]:
            raise ValueError(f"it is {image.height}×{image.width}, much larger than the image")
        inner = np.asarray(image) > 0
        if inner.ndim > 2:
            raise ValueError("it has several channels")
    except (OSError, SyntaxError, TypeError, ValueError, binascii.Error) as error:
        raise ShapeError(f"{where} has a mask that cannot be read: {error}") from error
    left, top = (round(value) for value in points[0])
    mask = np.zeros(size, np.bool_)
    first_row, first_column = max(top, 0), max(left, 0)
    inner = inner[first_row - top :, first_column - left :]
    target = mask[first_row : first_row + inner.shape[0], first_column : first_column + inner.shape[1]]
    target[:] = inner[: target.shape[0], : target.shape[1]]
    return mask


@dataclass(frozen=True)
class CocoFile:
    """The annotations of a COCO file (https://cocodataset.org/#format-data), drawn as its own tools draw them.

    `sizes` are those of the images, `annotations` have the name of their category with them.
    """

    path: Path
    sizes: Mapping[str, tuple[int, int]]
    annotations: Mapping[str, Sequence[tuple[str, Mapping[str, Any]]]]

    @property
    def ids(self) -> Iterable[str]:
        """Ids of the images that the file names."""
        return self.sizes.keys()

    def read(self, image_id: str) -> Drawing:
        """The annotations of one image, each an object."""
        size = self.sizes[image_id]
        shapes = [
            (name, number, self._drawer(annotation, size))
            for number, (name, annotation) in enumerate(self.annotations.get(image_id, ()))
        ]
        return Drawing(size, shapes)

    def content(self, image_id: str) -> bytes:
        """Size, categories and segmentations."""
        kept = [(name, annotation.get("segmentation")) for name, annotation in self.annotations.get(image_id, ())]
        return json.dumps([self.sizes[image_id], kept]).encode()

    def _drawer(self, annotation: Mapping[str, Any], size: tuple[int, int]) -> Callable[[], Mask]:
        return lambda: self._decoded(annotation, size)

    def _decoded(self, annotation: Mapping[str, Any], size: tuple[int, int]) -> Mask:
        found = annotation.get("segmentation")
        try:
            if not isinstance(found, dict):
                return _filled(found, size)
            if list(found["size"]) != list(size):
                raise ValueError(f"its size is {found['size']}, that of its image {list(size)}")
            return decode_coco(found["counts"], size)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ShapeError(f"{self.path}: the segmentation of annotation {annotation.get('id')}: {error}") from error


def _filled(found: Any, size: tuple[int, int]) -> Mask:
    """Polygons as COCO's own tools fill them."""
    polygons = [np.array(polygon, np.float64) for polygon in found or ()]
    if not polygons or any(polygon.ndim != 1 or len(polygon) < 6 or len(polygon) % 2 for polygon in polygons):
        raise ValueError("expected polygons of three points or more, or a run-length encoding")
    if any(not (np.abs(polygon) <= _FAR * max(size)).all() for polygon in polygons):
        raise ValueError("a point lies far outside the image")
    filled = np.zeros(size, np.bool_)
    for encoded in coco_masks.frPyObjects([polygon.tolist() for polygon in polygons], *size):
        filled |= decode_coco(encoded["counts"], size)
    return filled


def read_coco(path: Path, key: str, ids: Iterable[str], names: Sequence[str]) -> CocoFile:
    """Read a COCO file.

    Args:
        path: of the JSON file.
        key: what names it, for messages.
        ids: of the images, which `file_name` names with or without folder and extension.
        names: of the classes, which must be categories of the file; none if any category will do.

    Raises:
        MissingFileError: there is no such file.
        DataError: it is no such file, or lacks a class.
    """
    tree = _read_json(path, key)
    known = set(ids)
    try:
        categories = {entry["id"]: str(entry["name"]) for entry in tree["categories"]}
        missing = [name for name in names if name not in categories.values()]
        if missing:
            raise DataError(
                f"{key}: {path} has no category {', '.join(missing)}; it has {', '.join(categories.values())}",
                "Name classes as the file does.",
            )
        numbers, sizes = {}, {}
        for entry in tree["images"]:
            image_id = _id_of(entry["file_name"], known)
            if image_id in sizes:
                raise DataError(f"{key}: {path} names {image_id} twice among its images")
            numbers[entry["id"]] = image_id
            sizes[image_id] = (int(entry["height"]), int(entry["width"]))
        annotations: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
        for entry in tree.get("annotations", ()):
            pair = (categories[entry["category_id"]], entry)
            annotations.setdefault(numbers[entry["image_id"]], []).append(pair)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise DataError(
            f"{key}: {path} is no COCO file with images, categories and annotations: {type(error).__name__} {error}",
            "For labelme's JSON files, name their folder.",
        ) from error
    return CocoFile(path, sizes, annotations)


def _id_of(name: str, known: set[str]) -> str:
    short = PurePosixPath(name.replace("\\", "/")).name
    return short if short in known else image_id_of(short)


def _read_json(path: Path, key: str) -> Any:
    try:
        return json.loads(path.read_text("utf-8-sig"))
    except FileNotFoundError as error:
        raise MissingFileError(f"{key}: there is no file {path}") from error
    except OSError as error:
        raise MissingFileError(f"{key}: cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{key}: {path} is no JSON file: {error}") from error
