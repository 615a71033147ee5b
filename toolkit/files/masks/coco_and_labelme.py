"""Masks drawn as shapes: labelme's JSON files, one per image, and COCO's, one for all images."""

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

from toolkit.config.yaml.file_paths import regular
from toolkit.core.arrays import Mask, Objects
from toolkit.core.images.windows import Window
from toolkit.core.masks.coco_rle import decode_coco
from toolkit.core.masks.labels import IGNORE, Classes
from toolkit.errors import DataError, MissingFileError
from toolkit.files.disk.digests import file_stamp, joined_stamps
from toolkit.files.images.decoding import image_id_of

BACKGROUND = "background"
_IGNORED_LABELS = ("ignore", "void")  # usual labels of shapes that mark ignored pixels
BACKGROUND_FIRST = "Put a background class before it in classes, or set activation: sigmoid."
_FAR = 10
"""A point farther from the origin than this many times the longer side is an error."""


class ShapeError(DataError):
    """A shape that cannot be drawn; the message has its file and position."""


@dataclass(frozen=True)
class Drawing:
    """The shapes of one image, in the order in which they were drawn.

    Each has its class, a key that is the same for all shapes of one object, and a function that draws it as
    `bool (height, width)`. `size` is (height, width) of the image that they were drawn on.
    """

    size: tuple[int, int]
    shapes: Sequence[tuple[str, Any, Callable[[], Mask]]]


class Drawings(Protocol):
    """A source of drawings."""

    @property
    def ids(self) -> Iterable[str]:
        """Ids of the images that have a drawing."""

    def read(self, image_id: str) -> Drawing:
        """The shapes of one image; raises KeyError if it has no drawing, ShapeError if that cannot be read."""

    def content(self, image_id: str) -> bytes:
        """What the drawing is made from, for digests."""

    def stamp(self, image_id: str) -> bytes | None:
        """What changes whenever `content` does, found without reading files; None if that cannot be said."""


@dataclass(frozen=True)
class Shapes:
    """Masks from shapes of named classes.

    With a single, unnamed class, every shape shows it. Shapes of other classes are background, except that shapes
    called ignore or void mark ignored pixels. Of exclusive classes, later shapes cover earlier ones.
    """

    drawings: Drawings
    classes: Classes
    refuse_turned: Callable[[str], None]
    size: None = None

    @property
    def ids(self) -> Iterable[str]:
        """Ids of images that have a drawing, possibly without shapes."""
        return self.drawings.ids

    def read(self, image_id: str, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
        """Draw the shapes of one image, a plane per class: (height, width, classes), 0, 1 or IGNORE."""
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
                        f"{image_id}: {name} has shapes, but as the first of exclusive classes it is the background",
                        BACKGROUND_FIRST,
                    )
                planes[mask] = 0
            if place is not None:
                planes[:, :, place][mask] = 1
            ignored[mask] = is_ignored
        planes[ignored] = IGNORE
        return planes

    def window(self, image_id: str, size: tuple[int, int], window: Window) -> None:
        """None: the caller cuts the window from the whole mask."""

    def read_objects(self, image_id: str, size: tuple[int, int]) -> Objects:
        """Number the objects of one image from 1, `int32 (height, width)`; later shapes cover earlier ones."""
        drawing = self._drawing(image_id, size)
        names = self.classes.names[1:] if self.classes.activation == "softmax" else self.classes.names
        objects, numbers = np.zeros(drawing.size, np.int32), dict[Any, int]()
        for name, key, draw in drawing.shapes:
            if self._place(name, names) is not None:
                objects[draw()] = numbers.setdefault(key, len(numbers) + 1)
        return objects

    def content(self, image_id: str) -> bytes:
        """What the drawing is made from, and the names of the classes, for digests."""
        return self.drawings.content(image_id) + repr(self.classes.names).encode()

    def stamp(self, image_id: str) -> bytes | None:
        """That of the drawing, and the names of the classes."""
        return joined_stamps(self.drawings.stamp(image_id), repr(self.classes.names).encode())

    def unknown_labels(self, drawing: Drawing) -> set[str]:
        """The labels of shapes that are neither a class nor mark ignored pixels."""
        names = self.classes.names
        return {
            name
            for name, *_ in drawing.shapes
            if name not in names and name not in _IGNORED_LABELS and self._place(name, names) is None
        }

    def _drawing(self, image_id: str, size: tuple[int, int]) -> Drawing:
        drawing = self.drawings.read(image_id)
        if drawing.size != size:
            drawn, there = (f"{height}×{width}" for height, width in (drawing.size, size))
            raise ShapeError(f"{image_id}: the shapes were drawn on an image of {drawn}, but the image is {there}")
        return drawing

    def _place(self, name: str, names: Sequence[str]) -> int | None:
        if names == ("foreground",) and name not in _IGNORED_LABELS:
            return 0
        return names.index(name) if name in names else None


@dataclass(frozen=True)
class LabelmeFiles:
    """JSON files of labelme (https://github.com/wkentaro/labelme), one per image; drawn as labelme draws them."""

    paths: Mapping[str, Path]

    @property
    def ids(self) -> Iterable[str]:
        """Ids that have a file."""
        return self.paths.keys()

    def read(self, image_id: str) -> Drawing:
        """The shapes of a file; shapes with the same label and group_id are one object."""
        path = self.paths[image_id]
        tree = _read_json(path, str(path))
        try:
            size = (int(tree["imageHeight"]), int(tree["imageWidth"]))
            shapes = [
                (str(shape["label"]), _labelme_object(number, shape), _labelme_drawer(path, number, shape, size))
                for number, shape in enumerate(tree["shapes"])
            ]
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ShapeError(f"{path} is not a valid labelme file: {type(error).__name__} {error}") from error
        return Drawing(size, shapes)

    def content(self, image_id: str) -> bytes:
        """Size and shapes, without the copy of the image that labelme stores, for digests."""
        tree = _read_json(self.paths[image_id], str(self.paths[image_id]))
        kept = {key: tree.get(key) for key in ("imageHeight", "imageWidth", "shapes")} if isinstance(tree, dict) else 0
        return json.dumps(kept, sort_keys=True).encode()

    def stamp(self, image_id: str) -> bytes | None:
        """The stamp of the file."""
        return file_stamp(self.paths[image_id])


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
            f"{where} is a {kind}, which has no area", f"Draw a {', '.join(list(needed)[:-1])} or mask instead."
        )
    if len(points) < needed[kind] or (kind != "polygon" and len(points) != needed[kind]):
        more = " or more" if kind == "polygon" else ""
        raise ShapeError(f"{where} has {len(points)} points; a {kind} needs {needed[kind]}{more}")
    if not all(abs(value) <= _FAR * max(size) for point in points for value in point):
        raise ShapeError(f"{where} has a point far outside the image, or one that is not a number")
    if kind == "mask":
        return lambda: _pasted(where, shape.get("mask"), points, size)
    return lambda: _drawn(kind, points, size)


def _drawn(kind: str, points: Sequence[tuple[float, float]], size: tuple[int, int]) -> Mask:
    """Draw a shape with its outline, as `labelme.utils.shape_to_mask` does."""
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
    """Place a mask that labelme stores as a PNG with the position of its corner."""
    try:
        image = PillowImage.open(io.BytesIO(base64.b64decode(encoded)))
        if image.width * image.height > _FAR * size[0] * size[1]:
            raise ValueError(f"it is {image.height}×{image.width}, far larger than the image")
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
    """The annotations of a COCO file (https://cocodataset.org/#format-data), drawn as the COCO tools draw them.

    `sizes` has (height, width) of each image id, `annotations` the annotations of each with their category names.
    """

    path: Path
    sizes: Mapping[str, tuple[int, int]]
    annotations: Mapping[str, Sequence[tuple[str, Mapping[str, Any]]]]

    @property
    def ids(self) -> Iterable[str]:
        """Ids of the images that the file lists."""
        return self.sizes.keys()

    def read(self, image_id: str) -> Drawing:
        """The annotations of one image; each is an object."""
        size = self.sizes[image_id]
        shapes = [
            (name, number, self._drawer(annotation, size))
            for number, (name, annotation) in enumerate(self.annotations.get(image_id, ()))
        ]
        return Drawing(size, shapes)

    def content(self, image_id: str) -> bytes:
        """Size, categories and segmentations, for digests."""
        kept = [(name, annotation.get("segmentation")) for name, annotation in self.annotations.get(image_id, ())]
        return json.dumps([self.sizes[image_id], kept]).encode()

    def stamp(self, image_id: str) -> bytes | None:
        """The shapes themselves, which are in memory."""
        return self.content(image_id)

    def _drawer(self, annotation: Mapping[str, Any], size: tuple[int, int]) -> Callable[[], Mask]:
        return lambda: self._decoded(annotation, size)

    def _decoded(self, annotation: Mapping[str, Any], size: tuple[int, int]) -> Mask:
        found = annotation.get("segmentation")
        try:
            if not isinstance(found, dict):
                return _filled(found, size)
            if list(found["size"]) != list(size):
                raise ValueError(f"it has size {found['size']}, but its image {list(size)}")
            return decode_coco(found["counts"], size)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ShapeError(
                f"{self.path}: the segmentation of annotation {annotation.get('id')} is not valid: {error}"
            ) from error


def _filled(found: Any, size: tuple[int, int]) -> Mask:
    """Fill polygons as the COCO tools do."""
    polygons = [np.array(polygon, np.float64) for polygon in found or ()]
    if not polygons or any(polygon.ndim != 1 or len(polygon) < 6 or len(polygon) % 2 for polygon in polygons):
        raise ValueError("expected polygons of at least three points, or a run-length encoding")
    if any(not (np.abs(polygon) <= _FAR * max(size)).all() for polygon in polygons):
        raise ValueError("a point is far outside the image")
    filled = np.zeros(size, np.bool_)
    for encoded in coco_masks.frPyObjects([polygon.tolist() for polygon in polygons], *size):
        filled |= decode_coco(encoded["counts"], size)
    return filled


def read_coco(path: Path, key: str, ids: Iterable[str], names: Sequence[str]) -> CocoFile:
    """Read a COCO file.

    Args:
        path: of the JSON file.
        key: the configuration key of the file, for messages.
        ids: of the images; `file_name` in the file has them with or without folder and extension.
        names: of the classes, which must be categories of the file; empty if every category is foreground.

    Raises:
        MissingFileError: the file does not exist or cannot be read.
        DataError: the file is not a COCO file, or has no category for a class.
    """
    tree = _read_json(path, key)
    known = set(ids)
    try:
        categories = {entry["id"]: str(entry["name"]) for entry in tree["categories"]}
        missing = [name for name in names if name not in categories.values()]
        if missing:
            raise DataError(
                f"{key}: {path} has no category {', '.join(missing)}; its categories are "
                f"{', '.join(categories.values())}",
                "Give the classes in the configuration the names of these categories.",
            )
        numbers, sizes = {}, {}
        for entry in tree["images"]:
            image_id = _id_of(entry["file_name"], known)
            if image_id in sizes:
                raise DataError(f"{key}: {path} lists the image {image_id} twice")
            numbers[entry["id"]] = image_id
            sizes[image_id] = (int(entry["height"]), int(entry["width"]))
        annotations: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
        for entry in tree.get("annotations", ()):
            pair = (categories[entry["category_id"]], entry)
            annotations.setdefault(numbers[entry["image_id"]], []).append(pair)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise DataError(
            f"{key}: {path} is not a COCO file with images, categories and annotations: {type(error).__name__} {error}",
            "For labelme's JSON files, name the folder that holds them.",
        ) from error
    return CocoFile(path, sizes, annotations)


def _id_of(name: str, known: set[str]) -> str:
    short = PurePosixPath(name.replace("\\", "/")).name
    return short if short in known else image_id_of(short)


def _read_json(path: Path, key: str) -> Any:
    try:
        return json.loads(regular(path).read_text("utf-8-sig"))
    except FileNotFoundError as error:
        raise MissingFileError(f"{key}: there is no file {path}") from error
    except OSError as error:
        raise MissingFileError(f"{key}: cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{key}: {path} is not valid JSON: {error}") from error
