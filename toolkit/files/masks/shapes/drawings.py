"""Masks drawn as shapes, whatever they are read from; and labelme's JSON files, one per image."""

import base64
import binascii
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image as PillowImage
from PIL import ImageDraw

from toolkit.config.yaml.file_paths import regular
from toolkit.core.arrays import Mask, Objects
from toolkit.core.images.windows import Window
from toolkit.core.masks.labels import IGNORE, Classes
from toolkit.errors import DataError, MissingFileError
from toolkit.files.disk.digests import file_stamp, joined_stamps

BACKGROUND = "background"
_IGNORED_LABELS = ("ignore", "void")  # usual labels of shapes that mark ignored pixels
BACKGROUND_FIRST = "Put a background class before it in classes, or set activation: sigmoid."
FAR = 10
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

    def read(self, image_id: str, size: tuple[int, int]) -> Drawing:
        """The shapes of one image of (height, width), which counts where the source does not say the size itself.

        Raises:
            KeyError: the image has no drawing.
            ShapeError: it cannot be read.
        """

    def content(self, image_id: str) -> bytes:
        """What the drawing is made from, for digests."""

    def stamp(self, image_id: str) -> bytes | None:
        """What changes whenever `content` does, found without reading files; None if that cannot be said."""


@dataclass(frozen=True)
class Shapes:
    """Masks from shapes of named classes.

    With a single, unnamed class, every shape shows it. Shapes of other classes are background, except that shapes
    called ignore or void mark ignored pixels. Of exclusive classes, later shapes cover earlier ones. Images in `empty`
    have no drawing, and an empty mask.
    """

    drawings: Drawings
    classes: Classes
    refuse_turned: Callable[[str], None]
    size: None = None
    empty: frozenset[str] = frozenset()

    @property
    def ids(self) -> Iterable[str]:
        """Ids of images that have a drawing, possibly without shapes, or an empty mask."""
        return {*self.drawings.ids, *self.empty}

    def with_empty(self, ids: Iterable[str], classes: Classes) -> "Shapes":
        """The same masks, and empty masks of these images."""
        return replace(self, empty=frozenset(ids))

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
        content = b"" if image_id in self.empty else self.drawings.content(image_id)
        return content + repr(self.classes.names).encode()

    def stamp(self, image_id: str) -> bytes | None:
        """That of the drawing, and the names of the classes."""
        stamp = b"" if image_id in self.empty else self.drawings.stamp(image_id)
        return joined_stamps(stamp, repr(self.classes.names).encode())

    def labels(self, images: Callable[[str], tuple[int, int]]) -> tuple[str, ...]:
        """The labels of all shapes but ignored ones, sorted; `images` gives (height, width)."""
        found: set[str] = set()
        for image_id in self.ids:
            try:
                found |= {name for name, *_ in self.drawings.read(image_id, images(image_id)).shapes}
            except (DataError, KeyError):  # reported where all masks are examined
                continue
        return tuple(sorted(found - set(_IGNORED_LABELS)))

    def unknown_labels(self, drawing: Drawing) -> set[str]:
        """The labels of shapes that are neither a class nor mark ignored pixels."""
        names = self.classes.names
        return {
            name
            for name, *_ in drawing.shapes
            if name not in names and name not in _IGNORED_LABELS and self._place(name, names) is None
        }

    def _drawing(self, image_id: str, size: tuple[int, int]) -> Drawing:
        drawing = Drawing(size, ()) if image_id in self.empty else self.drawings.read(image_id, size)
        if drawing.size != size:
            drawn, there = (f"{height}×{width}" for height, width in (drawing.size, size))
            raise ShapeError(
                f"{image_id}: the shapes were drawn on an image of {drawn}, but the image is {there}",
                "Use the images that were labelled, or scale the coordinates of the shapes to the images.",
            )
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

    def read(self, image_id: str, size: tuple[int, int]) -> Drawing:
        """The shapes of a file; shapes with the same label and group_id are one object."""
        path = self.paths[image_id]
        tree = read_json_file(path, str(path))
        try:
            drawn = (int(tree["imageHeight"]), int(tree["imageWidth"]))
            shapes = [
                (str(shape["label"]), _labelme_object(number, shape), _labelme_drawer(path, number, shape, drawn))
                for number, shape in enumerate(tree["shapes"])
            ]
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ShapeError(f"{path} is not a valid labelme file: {type(error).__name__} {error}") from error
        return Drawing(drawn, shapes)

    def content(self, image_id: str) -> bytes:
        """Size and shapes, without the copy of the image that labelme stores, for digests."""
        tree = read_json_file(self.paths[image_id], str(self.paths[image_id]))
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
    if not all(abs(value) <= FAR * max(size) for point in points for value in point):
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
        if image.width * image.height > FAR * size[0] * size[1]:
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


def read_json_file(path: Path, key: str) -> Any:
    """The content of a JSON file in UTF-8, UTF-16 or UTF-32; raises MissingFileError or DataError."""
    try:
        return json.loads(regular(path).read_bytes())
    except FileNotFoundError as error:
        raise MissingFileError(f"{key}: there is no file {path}") from error
    except OSError as error:
        raise MissingFileError(f"{key}: cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{key}: {path} is not valid JSON: {error}") from error
