"""COCO's JSON files (https://cocodataset.org/#format-data), one for all images, drawn as the COCO tools draw them."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from toolkit.core.arrays import Mask
from toolkit.errors import DataError, counted, listing
from toolkit.files.masks.shapes.coco_segmentations import draw_segmentation, has_area
from toolkit.files.masks.shapes.drawings import Drawing, ShapeError, read_json_file
from toolkit.files.masks.shapes.listed_files import files_of_names
from toolkit.files.masks.shapes.other_documents import kind_of

Size = tuple[int, int]
Annotations = Mapping[str, Sequence[tuple[str, Mapping[str, Any]]]]


@dataclass(frozen=True)
class CocoFile:
    """The annotations of a COCO file.

    Attributes:
        path: of the file.
        sizes: (height, width) of each image id; None where the file does not say.
        annotations: those of each image with an area, with their category names.
        notes: what the file has that is not drawn, in sentences.
    """

    path: Path
    sizes: Mapping[str, Size | None]
    annotations: Annotations
    notes: tuple[str, ...] = ()

    @property
    def ids(self) -> Iterable[str]:
        """Ids of the images that the file lists; the names of listed images that are not on disk."""
        return self.sizes.keys()

    def read(self, image_id: str, size: Size) -> Drawing:
        """The annotations of one image; each is an object."""
        drawn = self.sizes[image_id] or size
        shapes = [
            (name, number, self._drawer(annotation, drawn))
            for number, (name, annotation) in enumerate(self.annotations.get(image_id, ()))
        ]
        return Drawing(drawn, shapes)

    def content(self, image_id: str) -> bytes:
        """Size, categories and segmentations, for digests."""
        kept = [(name, annotation.get("segmentation")) for name, annotation in self.annotations.get(image_id, ())]
        return json.dumps([self.sizes[image_id], kept]).encode()

    def stamp(self, image_id: str) -> bytes | None:
        """The shapes themselves, which are in memory."""
        return self.content(image_id)

    def _drawer(self, annotation: Mapping[str, Any], size: Size) -> Callable[[], Mask]:
        return lambda: self._decoded(annotation, size)

    def _decoded(self, annotation: Mapping[str, Any], size: Size) -> Mask:
        try:
            return draw_segmentation(annotation.get("segmentation"), size)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ShapeError(
                f"{self.path}: the segmentation of annotation {annotation.get('id')} is not valid: {error}"
            ) from error


@dataclass(frozen=True, eq=False)
class CocoDocument:
    """The content of a COCO file, whatever the images are.

    Attributes:
        path: of the file.
        key: the configuration key of the file, for messages.
        categories: the name of each category by its id; ids are compared as text, because tools mix 1 and "1".
        images: `file_name` and size of each image by its id; the size is None if the file does not say.
        annotations: all of them.
    """

    path: Path
    key: str
    categories: Mapping[str, str]
    images: Mapping[str, tuple[str, Size | None]]
    annotations: Sequence[Mapping[str, Any]]

    @property
    def file_names(self) -> tuple[str, ...]:
        """The names of the images, as the file spells them."""
        return tuple(name for name, _ in self.images.values())

    @cached_property
    def shown(self) -> Counter[str]:
        """How many annotations with an area each category has, in the order of the categories; those of none are 0."""
        counts = Counter(dict.fromkeys(self.categories.values(), 0))
        counts.update(self._category(one) for one in self.annotations if has_area(one.get("segmentation")))
        return counts

    def drawn_on(self, files: Mapping[str, Path]) -> CocoFile:
        """The annotations of image files by their ids.

        Raises:
            DataError: names mean several files, no annotation has an area although there are some, or an annotation
                has an unknown category.
        """
        name, times = Counter(self.file_names).most_common(1)[0] if self.images else ("", 0)
        if times > 1:
            raise DataError(
                f"{self.key}: {self.path} lists the image {name} {times} times, with different ids",
                "Keep one entry of `images` for each image, and give its id to all annotations of the image.",
            )
        ids = files_of_names(self.file_names, files, self.key)
        # The name of an image that is not there must not be taken for the id of another one.
        missing = {name: f"./{name}" if name in files else name for name in self.file_names if name not in ids}
        of_name = missing | ids
        named = {number: of_name[name] for number, (name, _) in self.images.items()}
        sizes = {named[number]: size for number, (_, size) in self.images.items()}
        annotations: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
        lost = flat = 0
        for entry in self.annotations:
            image_id = named.get(str(entry.get("image_id")))
            if image_id is None:
                lost += 1
            elif not has_area(entry.get("segmentation")):
                flat += 1
            else:
                annotations.setdefault(image_id, []).append((self._category(entry), entry))
        if self.annotations and not annotations:
            raise DataError(
                f"{self.key}: none of the {counted(len(self.annotations), 'annotation')} of {self.path} has a shape on "
                "one of its images: `segmentation` is empty or missing, or `image_id` is that of no image",
                "Boxes alone make no masks: export polygons or masks (instance segmentation).",
            )
        notes = []
        if flat:
            have = "annotation has" if flat == 1 else "annotations have"
            notes.append(f"{flat} {have} no shape with an area (an empty segmentation, or fewer than three points)")
        if lost:
            belong = "annotation belongs" if lost == 1 else "annotations belong"
            notes.append(f"{lost} {belong} to no image of the file")
        return CocoFile(self.path, sizes, annotations, tuple(notes))

    def refuse_missing(self, names: Sequence[str]) -> None:
        """Check that each of the names is a category; raises DataError."""
        missing = [name for name in names if name not in self.categories.values()]
        if missing:
            raise DataError(
                f"{self.key}: {self.path} has no category {', '.join(missing)}; its categories are "
                f"{', '.join(self.categories.values())}",
                "Give the classes in the configuration the names of these categories.",
            )

    def _category(self, entry: Mapping[str, Any]) -> str:
        number = str(entry.get("category_id"))
        if number not in self.categories:
            raise DataError(
                f"{self.key}: {self.path}: annotation {entry.get('id')} has the category {number}, but the categories "
                f"are {listing((f'{one} ({name})' for one, name in self.categories.items()), 8)}",
                "Add this category to `categories`, or remove the annotation.",
            )
        return self.categories[number]


def read_coco_document(path: Path, key: str) -> CocoDocument:
    """Read a COCO file.

    Args:
        path: of the JSON file.
        key: the configuration key of the file, for messages.

    Raises:
        MissingFileError: the file does not exist or cannot be read.
        DataError: the file is not a COCO file, or two of its images have the same id.
    """
    return document_of(read_json_file(path, key), path, key)


def document_of(tree: Any, path: Path, key: str) -> CocoDocument:
    """The COCO document in a parsed JSON file; raises as `read_coco_document`."""
    try:
        categories = {str(entry["id"]): str(entry.get("name", entry["id"])) for entry in tree["categories"]}
        images: dict[str, tuple[str, Size | None]] = {}
        for entry in tree["images"]:
            number, found = str(entry["id"]), (_text(entry["file_name"]), _size_of(entry))
            if images.setdefault(number, found) != found:
                raise DataError(
                    f"{key}: {path}: two images have the id {number}: {images[number][0]} and {found[0]}",
                    "Give each image an id of its own, for example by merging the files again with a COCO tool.",
                )
        annotations = list(tree.get("annotations", ()))
        if not all(isinstance(entry, dict) for entry in annotations):
            raise TypeError("an annotation is not an object")
        if any("segments_info" in entry for entry in annotations[:1]):
            raise DataError(
                f"{key}: {path} is COCO panoptic: its masks are in PNG files, a colour per segment",
                "Make a COCO file of them: pip install panopticapi (from GitHub, cocodataset), then python "
                "converters/panoptic2detection_coco_format.py.",
            )
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise DataError(
            f"{key}: {path} is not a COCO file with images, categories and annotations: {type(error).__name__} {error}",
            f"It is {kind}."
            if (kind := kind_of(tree))
            else "For labelme's JSON files, name the folder that holds them.",
        ) from error
    return CocoDocument(path, key, categories, images, annotations)


def _text(name: Any) -> str:
    if not isinstance(name, str) or not name:
        raise TypeError(f"file_name is {name!r}")
    return name


def _size_of(entry: Mapping[str, Any]) -> Size | None:
    height, width = entry.get("height"), entry.get("width")
    return None if not height or not width else (int(height), int(width))
