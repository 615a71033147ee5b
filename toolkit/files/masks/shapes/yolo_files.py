"""YOLO's segmentation labels: a text file per image, a line per object: the number of its class, then its polygon.

The points are shares of width and height (https://docs.ultralytics.com/datasets/segment/). They are rounded to pixels
and filled with their outline, as OpenCV fills the outline that it finds in a mask.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from toolkit.config.yaml.file_paths import regular
from toolkit.core.arrays import Floats, Mask
from toolkit.errors import DataError, MissingFileError
from toolkit.files.disk.digests import file_stamp, joined_stamps
from toolkit.files.masks.shapes.drawings import Drawing, ShapeError

_NAMES_IN = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml", "classes.txt", "obj.names")
_ABOVE = 3
_BOX = 5
_FEWEST = 6
_OUTSIDE = 0.5  # of a side: points a little outside are cut off, others are no shares
_NO_SHARES = "Points are shares of width and height, 0 to 1: divide x by the width and y by the height."


@dataclass(frozen=True)
class YoloFiles:
    """YOLO's text files by image id, and the names of their classes by number."""

    paths: Mapping[str, Path]
    names: Mapping[int, str]

    @property
    def ids(self) -> Iterable[str]:
        """Ids that have a file."""
        return self.paths.keys()

    def read(self, image_id: str, size: tuple[int, int]) -> Drawing:
        """The polygons of a file, drawn on an image of (height, width); each is an object."""
        shapes = []
        for number, (index, points) in lines_of(self.paths[image_id]).items():
            name = self.names.get(index, str(index))
            shapes.append((name, number, _drawer(points, size)))
        return Drawing(size, shapes)

    def refuse_missing(self, wanted: Sequence[str], key: str) -> None:
        """Check that each of these classes has a number; without names, numbers are the names. Raises DataError."""
        missing = [name for name in wanted if name not in self.names.values()]
        if self.names and missing:
            raise DataError(
                f"{key}: the labels have no class {', '.join(missing)}; their classes are "
                f"{', '.join(self.names.values())}",
                "Give the classes in the configuration these names.",
            )
        if missing and not all(name.isdecimal() for name in missing):
            raise DataError(
                f"{key}: no file says which number of the labels stands for {', '.join(missing)}",
                "Put a file classes.txt beside the labels, a name per line in the order of the numbers from 0; or use "
                'the numbers as names, classes: ["0", "1"].',
            )

    def content(self, image_id: str) -> bytes:
        """The file and the names of the classes, for digests."""
        return regular(self.paths[image_id]).read_bytes() + repr(sorted(self.names.items())).encode()

    def stamp(self, image_id: str) -> bytes | None:
        """The stamp of the file, and the names of the classes."""
        return joined_stamps(file_stamp(self.paths[image_id]), repr(sorted(self.names.items())).encode())


def yolo_files(folder: Path, paths: Mapping[str, Path]) -> YoloFiles:
    """The text files of a folder, without those that list the names of the classes; raises as `class_names_near`."""
    labels = {image_id: path for image_id, path in paths.items() if path.name not in _NAMES_IN}
    return YoloFiles(labels, class_names_near(folder))


def lines_of(path: Path) -> dict[int, tuple[int, Floats]]:
    """The number of the class and the points, shares of width and height `float64 (points, 2)`, by line from 1.

    Raises:
        ShapeError: a line is no polygon.
    """
    found = {}
    try:
        text = regular(path).read_text("utf-8-sig")
    except (OSError, ValueError) as error:
        raise ShapeError(f"{path} cannot be read: {error}") from error
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            index, *values = map(float, line.split())
        except ValueError as error:
            raise ShapeError(f"{where} is no line of numbers: {line[:60]!r}") from error
        if len(values) == _BOX - 1:
            raise ShapeError(
                f"{where} has a box, not a polygon: a class and four numbers",
                "Boxes alone make no masks: export the labels for segmentation (YOLO segmentation, COCO).",
            )
        if len(values) < _FEWEST or len(values) % 2 or index < 0 or not index.is_integer():
            raise ShapeError(f"{where} needs the number of a class and at least three points, x y x y x y")
        points = np.array(values).reshape(-1, 2)
        if not ((points >= -_OUTSIDE) & (points <= 1 + _OUTSIDE)).all():
            raise ShapeError(f"{where} has a point far outside the image", _NO_SHARES)
        found[number] = (int(index), points)
    return found


def looks_like_yolo(path: Path) -> bool:
    """Whether a text file holds polygons as YOLO writes them; an empty one does not tell."""
    try:
        return bool(lines_of(path))
    except ShapeError:
        return False


def has_boxes(path: Path) -> bool:
    """Whether every line of a text file is a box as YOLO writes it: the number of a class and four shares."""
    try:
        lines = [[float(value) for value in line.split()] for line in regular(path).read_text("utf-8-sig").splitlines()]
    except (OSError, ValueError):
        return False
    boxes = [line for line in lines if line]
    return bool(boxes) and all(len(box) == _BOX and all(0 <= value <= 1 for value in box[1:]) for box in boxes)


def class_names_near(folder: Path) -> dict[int, str]:
    """The names of the classes by number, from `data.yaml` or `classes.txt` in the folder of labels or above it.

    Raises:
        DataError: such a file is there, but cannot be read.
    """
    return next((names for path in name_files_near(folder) if (names := _names_in(path))), {})


def name_files_near(folder: Path) -> list[Path]:
    """The files in the folder of labels, and then above it, that may hold the names of the classes."""
    places = (folder, *folder.absolute().parents[:_ABOVE])
    return [path for place in places for name in _NAMES_IN if (path := place / name).is_file()]


def _names_in(path: Path) -> dict[int, str]:
    try:
        text = regular(path).read_text("utf-8-sig")
        if path.suffix in (".txt", ".names"):
            return dict(enumerate(line.strip() for line in text.splitlines() if line.strip()))
        tree: Any = yaml.safe_load(text)
        names = tree.get("names") if isinstance(tree, dict) else None
        if isinstance(names, list):
            return dict(enumerate(map(str, names)))
        return {int(number): str(name) for number, name in names.items()} if isinstance(names, dict) else {}
    except OSError as error:
        raise MissingFileError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, yaml.YAMLError) as error:
        raise DataError(f"{path} has no names of classes that can be read: {error}") from error


def _drawer(points: Floats, size: tuple[int, int]) -> Callable[[], Mask]:
    def draw() -> Mask:
        mask = np.zeros(size, np.uint8)
        pixels = np.round(points * (size[1], size[0])).astype(np.int32)
        cv2.fillPoly(mask, [pixels], (1,))
        return mask > 0

    return draw
