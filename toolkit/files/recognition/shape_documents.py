"""Finds shapes of objects: COCO files, a folder of labelme files, or folders of YOLO's text files."""

import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from toolkit.errors import DataError, ToolkitError, counted
from toolkit.files.masks.coco_files import CocoDocument, document_of
from toolkit.files.masks.listed_files import files_of_names, images_in_folders
from toolkit.files.masks.other_documents import kind_of
from toolkit.files.masks.yolo_files import lines_of, looks_like_yolo, yolo_files
from toolkit.files.recognition.folder_scan import FolderScan, ImageFolder

_HELD_OUT = {"val", "valid", "validation", "dev"}
_TEST = {"test", "testing"}
_ENOUGH = 0.5
_EXAMINED = 200


@dataclass(frozen=True)
class Document:
    """Shapes of objects in a COCO file or a folder of labelme or YOLO files, and the names of the classes they show.

    `images` are those that it describes; `unused` the names of classes without any shape.
    """

    path: Path
    kind: Literal["coco", "labelme", "yolo"]
    names: tuple[str, ...]
    images: ImageFolder | None = field(default=None, compare=False)
    unused: tuple[str, ...] = field(default=(), compare=False)

    @property
    def part(self) -> str:
        """`test` or `validation` if its path says so, else empty."""
        words = _words(self.path)
        return "test" if words & _TEST else "validation" if words & _HELD_OUT else ""


@dataclass(frozen=True)
class Documents:
    """The documents of a folder: what the training images are described by, more labelled images, and the test images.

    `notes` say of other documents why they are not used, or what makes them readable.
    """

    main: Document | None = None
    more: tuple[Document, ...] = ()
    test: tuple[Document, ...] = ()
    notes: tuple[str, ...] = ()


def find_documents(scan: FolderScan, images: ImageFolder | None) -> Documents:
    """The documents of shapes, and which of them describes the training images.

    Args:
        scan: of the folder.
        images: the presumed training images, which a folder of labelme files is about.
    """
    notes: list[str] = []
    found = [one for path in scan.documents if (one := _coco(path, scan, notes)) is not None]
    if not found and images is not None and (labelme := _labelme(scan, images)) is not None:
        return Documents(labelme, notes=tuple(notes))
    found = found or list(_yolo(scan))
    ranked = sorted(found, key=lambda one: (bool(one.part), one.part, -len(_files(one)), len(one.path.name)))
    if not ranked:
        return Documents(notes=tuple(notes))
    main, more, test = ranked[0], [], []
    taken = set(_files(main))
    for one in ranked[1:]:
        if taken & _files(one):
            notes.append(f"{scan.name(one.path)}: describes images that {scan.name(main.path)} describes too")
        elif one.part == "test":
            test.append(one)
        else:
            taken |= _files(one)
            more.append(one)
    return Documents(main, tuple(more), tuple(test), tuple(notes))


def _files(one: Document) -> set[Path]:
    return set() if one.images is None else set(one.images.paths.values())


def _coco(path: Path, scan: FolderScan, notes: list[str]) -> Document | None:
    """A COCO file with shapes of images that are there; otherwise a note says what the file is."""
    tree, name = _read_json(path), scan.name(path)
    if not (isinstance(tree, dict) and {"images", "annotations", "categories"} <= tree.keys()):
        told = "" if isinstance(tree, dict) and "shapes" in tree else kind_of(tree)
        notes += [f"{name}: {told}"] if told else []
        return None
    try:
        document = document_of(tree, path, name)
        shown = document.shown
    except ToolkitError as error:
        notes.append(f"{name}: {error.message}")
        return None
    if not shown.total():
        notes.append(
            f"{name}: its {counted(len(document.annotations), 'annotation')} have no polygons and no masks; boxes "
            "alone make no masks: export instance segmentation"
        )
        return None
    images = _images_of(document, scan)
    if images is None:
        first = next(iter(document.file_names), "")
        notes.append(f"{name}: COCO, but none of its images is in the folder (the first is {first})")
        return None
    used = tuple(one for one, count in shown.items() if count)
    return Document(path, "coco", used, images, tuple(one for one, count in shown.items() if not count))


def _images_of(document: CocoDocument, scan: FolderScan) -> ImageFolder | None:
    """The image files that a COCO file names, and the folder to write for them; None if there are none."""
    best: tuple[int, Path, list[Path]] | None = None
    for root in _roots(document.path, scan):
        try:
            below = images_in_folders(root, document.file_names, "")
            named = files_of_names(document.file_names, below, "")
        except DataError:  # the same names in several folders
            continue
        count = len(named)
        if count and (best is None or count > best[0]):
            best = count, root, [below[image_id] for image_id in named.values()]
        if count == len(document.images):
            break
    if best is None:
        return None
    folder = Path(os.path.commonpath([path.parent for path in best[2]]))
    paths = images_in_folders(folder, document.file_names, "")
    return ImageFolder(folder, scan.name(folder), paths)


def _roots(path: Path, scan: FolderScan) -> Iterator[Path]:
    """Where the images of a document may be: beside it, in folders of the same part of the data, anywhere."""
    yield path.parent
    words = _words(path.relative_to(scan.root))
    places = {place for folder in scan.folders for place in (folder.folder, folder.folder.parent)}
    inside = sorted(place for place in places if place != scan.root and place.is_relative_to(scan.root))
    yield from (place for place in inside if _words(place.relative_to(scan.root)) & words)
    yield scan.root


def _words(path: Path) -> set[str]:
    return {word for word in re.split(r"[^a-z]+", path.as_posix().lower()) if word}


def _labelme(scan: FolderScan, images: ImageFolder) -> Document | None:
    """The folder with a labelme file for most of the images."""
    beside = [path for path in scan.documents if path.stem in images.paths]
    if len(beside) < max(1, len(images.paths) // 2):
        return None
    names: dict[str, None] = {}
    for path in beside:
        tree = _read_json(path)
        if not isinstance(tree, dict) or "shapes" not in tree:
            return None
        names |= dict.fromkeys(_named(tree["shapes"], "label"))
    return Document(beside[0].parent, "labelme", tuple(sorted(names)), images)


def _yolo(scan: FolderScan) -> Iterator[Document]:
    """The folders of YOLO's text files, each with the folder of its images."""
    by_folder: dict[Path, dict[str, Path]] = {}
    for path in scan.texts:
        by_folder.setdefault(path.parent, {})[path.stem] = path
    for folder, texts in sorted(by_folder.items()):
        beside = [one for one in scan.folders if not one.pattern and texts.keys() & one.paths.keys()]
        if not beside:
            continue
        images = max(beside, key=lambda one: (_nearness(folder, one.folder), len(texts.keys() & one.paths.keys())))
        labels = {image_id: path for image_id, path in texts.items() if image_id in images.paths}
        filled = [path for path in labels.values() if path.stat().st_size]
        if not filled or not all(map(looks_like_yolo, filled[:_EXAMINED])):
            continue
        counts = Counter(index for path in filled for index, _ in _lines(path).values())
        try:
            names = yolo_files(folder, labels).names
        except ToolkitError:  # said where the labels are read
            names = {}
        known = names or {index: str(index) for index in sorted(counts)}
        used = tuple(dict.fromkeys(known.get(index, str(index)) for index in sorted(counts)))
        yield Document(folder, "yolo", used, images, tuple(name for name in known.values() if name not in used))


def _lines(path: Path) -> Mapping[int, Any]:
    return lines_of(path) if looks_like_yolo(path) else {}


def _nearness(one: Path, other: Path) -> tuple[int, int]:
    """How well the folders of labels and images fit: the same words but `labels`, then the same parents."""
    words = _words(one) - {"labels"} == _words(other) - {"images"}
    return int(words), len(set(one.parts) & set(other.parts))


def _named(entries: Any, key: str) -> tuple[str, ...]:
    """The values of a key in a list of objects; empty if it is not such a list."""
    listed: Sequence[Any] = entries if isinstance(entries, list) else []
    return tuple(str(one.get(key, "")) for one in listed if isinstance(one, dict))


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
