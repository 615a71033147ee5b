"""Finds shapes of objects: COCO files, a folder of labelme files, or folders of YOLO's text files."""

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from toolkit.config.yaml.file_paths import regular
from toolkit.errors import DataError, ToolkitError, counted
from toolkit.files.images.names.image_folder import ImageFolder
from toolkit.files.masks.shapes.coco_files import CocoDocument, document_of
from toolkit.files.masks.shapes.listed_files import files_of_names, images_in_folders
from toolkit.files.masks.shapes.other_documents import kind_of
from toolkit.files.masks.shapes.yolo_files import has_boxes, lines_of, looks_like_yolo, yolo_files
from toolkit.files.recognition.folders.folder_scan import FolderScan
from toolkit.files.recognition.folders.roles import Roles, is_mask_folder

_HELD_OUT = {"val", "valid", "validation", "dev"}
_TEST = {"test", "testing"}
_OF_TASK = re.compile(r"task-\d+-annotation-\d+-by-\d+-tag-")
_KINDS = {"coco": "COCO JSON", "labelme": "labelme JSON", "yolo": "polygons in YOLO's text files"}
_EXAMINED = 200


@dataclass(frozen=True)
class Document:
    """Shapes of objects in a COCO file or a folder of labelme or YOLO files, and the names of the classes they show.

    `images` are those that it describes, `unused` the names of classes without any shape, `part` is `test` or
    `validation` if its path says so. `listed` are the image files that it says something about.
    """

    path: Path
    kind: Literal["coco", "labelme", "yolo"]
    names: tuple[str, ...]
    images: ImageFolder | None = field(default=None, compare=False)
    unused: tuple[str, ...] = field(default=(), compare=False)
    part: str = field(default="", compare=False)
    listed: frozenset[Path] = field(default=frozenset(), compare=False)

    @property
    def unlisted(self) -> int:
        """How many images of its folders it says nothing about."""
        return 0 if self.images is None else len(set(self.images.paths.values()) - self.listed)

    @property
    def why(self) -> str:
        """What it is, in words."""
        why = f"{_KINDS[self.kind]}: {counted(len(self.names), 'class', 'classes')}"
        if not self.unused:
            return why
        which = "class" if len(self.unused) == 1 else "classes"
        return f"{why}; no shape shows the {which} {', '.join(self.unused)}, left out"


@dataclass(frozen=True)
class Documents:
    """The documents of a folder: what the training images are described by, more labelled images, and the test images.

    `notes` say of other documents why they are not used, or what makes them readable.
    """

    main: Document | None = None
    more: tuple[Document, ...] = ()
    test: tuple[Document, ...] = ()
    notes: tuple[str, ...] = ()

    def merged(self, path_of: Callable[[Path], str]) -> tuple[list[dict[str, str]], str]:
        """The entries of `merge` for the other labelled images, and what they are; `path_of` spells a path.

        Ids that recur get the folder as a prefix.
        """
        entries, told = [], []
        taken = set() if self.main is None or self.main.images is None else set(self.main.images.paths)
        for one in self.more:
            if one.images is None:
                continue
            entry = {"images": path_of(one.images.folder), "masks": path_of(one.path)}
            if not taken.isdisjoint(one.images.paths):
                entry["prefix"] = re.sub(r"[^A-Za-z0-9]+", "_", one.images.name).strip("_") + "_"
            taken |= {entry.get("prefix", "") + image_id for image_id in one.images.paths}
            entries.append(entry)
            told.append(f"{counted(len(one.images.paths), 'more labelled image')} in {one.images.name}")
        return entries, "; ".join(told)


def find_documents(scan: FolderScan) -> Documents:
    """The documents of shapes, and which of them describes the training images."""
    notes: list[str] = []
    found = [one for path in scan.documents if (one := _coco(path, scan, notes)) is not None]
    found = found or list(_labelme(scan)) or list(_yolo(scan, notes))
    ranked = sorted(found, key=lambda one: (bool(one.part), one.part, -len(_files(one)), len(one.path.name)))
    if not ranked:
        return Documents(notes=tuple(notes))
    main, more, test = ranked[0], [], []
    taken = set(_files(main))
    for one in ranked[1:]:
        if taken & _files(one):
            notes.append(_shared(one, main, scan))
        elif one.part == "test":
            test.append(one)
        else:
            taken |= _files(one)
            more.append(one)
    return Documents(_with_classes_of(main, more), tuple(more), tuple(test), tuple(notes))


def _with_classes_of(main: Document, more: Sequence[Document]) -> Document:
    """The document with the classes that the others show too, unless one of these is a file that cannot have them."""
    every = [main, *more]
    shown = dict.fromkeys(name for one in every for name in one.names)
    known = [{*one.names, *one.unused} for one in every if one.kind == "coco"]
    names = tuple(name for name in shown if all(name in some for some in known))
    return replace(main, names=names, unused=tuple(name for name in main.unused if name not in names))


def roles_by_documents(documents: Documents, roles: Roles) -> Roles:
    """The roles if documents of shapes describe the images: they say which images are which."""
    main = documents.main
    if main is None or main.images is None:
        return roles
    used = {path for one in (main, *documents.more) if one.images for path in one.images.paths.values()}
    test = roles.test
    if test is None and roles.images is not None and documents.test:
        test = documents.test[0].images
    if test is not None and used & set(test.paths.values()):
        test = None
    unused = [(folder, why) for folder, why in roles.unused if not used & set(folder.paths.values())]
    if roles.images is not None and not used & set(roles.images.paths.values()):
        unused.append((roles.images, "images without masks"))
    return replace(roles, images=main.images, test=test, validation=None, unused=tuple(unused))


def advice_about_tools(scan: FolderScan) -> str:
    """What to do about masks whose names come from a tool and do not tell the image."""
    if not any(map(are_of_tasks, scan.folders)):
        return ""
    return (
        "The names of the masks are those of Label Studio's brush export: they number the tasks and do not tell the "
        "image. In Label Studio choose Export, COCO, and put the JSON file beside the images; or rename each mask to "
        'IMAGE_CLASS_NUMBER.png and write mask_name: "{id}_{class}_*.png".'
    )


def are_of_tasks(folder: ImageFolder) -> bool:
    """Whether the names of masks are those of Label Studio's brush export."""
    return any(_OF_TASK.match(path.name) for path in list(folder.paths.values())[:1])


def _shared(one: Document, main: Document, scan: FolderScan) -> str:
    """Why a document about images in the same folder is not used, and how to use it if these are other images."""
    name, other = scan.name(one.path), scan.name(main.path)
    if one.listed & main.listed or one.images is None:
        return f"{name}: describes images that {other} describes too"
    return (
        f"{name}: describes {counted(len(one.listed), 'other image')} in {one.images.name}, where {other} does too; to "
        f"read both, set under data: unlabelled: leave_out, and merge: [{{images: {one.images.folder}, masks: "
        f"{one.path}, unlabelled: leave_out}}], with the paths relative to config.yaml"
    )


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
        notes.append(f"{error.message}. {error.advice}".rstrip(". ") + ".")
        return None
    if not shown.total():
        have = f"its {counted(len(document.annotations), 'annotation has', 'annotations have')} no polygon and no mask"
        notes.append(
            f"{name}: {have}; boxes alone make no masks: export instance segmentation"
            if document.annotations
            else f"{name}: COCO, without annotations"
        )
        return None
    images, listed = _images_of(document, scan)
    if images is None:
        first = next(iter(document.file_names), "")
        notes.append(f"{name}: COCO, but none of its images is in the folder (the first is {first})")
        return None
    used = tuple(one for one, count in shown.items() if count)
    unused = tuple(one for one, count in shown.items() if not count)
    return Document(path, "coco", used, images, unused, _part(path, scan), listed)


def _images_of(document: CocoDocument, scan: FolderScan) -> tuple[ImageFolder | None, frozenset[Path]]:
    """The images of the folders that a COCO file names, with the folder to write for them; and those it names itself.

    None if there are none.
    """
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
        return None, frozenset()
    folder = Path(os.path.commonpath([path.parent for path in best[2]]))
    paths = images_in_folders(folder, document.file_names, "")
    return ImageFolder(folder, scan.name(folder), paths), frozenset(best[2])


def _roots(path: Path, scan: FolderScan) -> Iterator[Path]:
    """Where the images of a document may be: beside it, in folders of the same part of the data, anywhere."""
    yield path.parent
    words = _words(scan.name(path))
    places = {place for folder in scan.folders for place in (folder.folder, folder.folder.parent)}
    inside = sorted(place for place in places if place != scan.root and place.is_relative_to(scan.root))
    yield from (place for place in inside if _words(scan.name(place)) & words)
    yield scan.root
    masks = {folder.folder for folder in scan.folders if is_mask_folder(folder)}
    yield from (place for place in inside if place not in masks)


def _part(path: Path, scan: FolderScan) -> str:
    words = _words(scan.name(path))
    return "test" if words & _TEST else "validation" if words & _HELD_OUT else ""


def _words(name: str) -> set[str]:
    return {word for word in re.split(r"[^a-z]+", name.lower()) if word}


def _labelme(scan: FolderScan) -> Iterator[Document]:
    """The folders with a labelme file for most images of a folder, which may be the same."""
    by_folder: dict[Path, dict[str, Path]] = {}
    for path in scan.documents:
        by_folder.setdefault(path.parent, {})[path.stem] = path
    for folder, files in sorted(by_folder.items()):
        images = _images_beside(folder, files, scan)
        if images is None:
            continue
        labels = {image_id: path for image_id, path in files.items() if image_id in images.paths}
        trees = [_read_json(path) for path in labels.values()]
        if len(labels) < max(1, len(images.paths) // 2) or not all(
            isinstance(one, dict) and "shapes" in one for one in trees
        ):
            continue
        names = {name for tree in trees for name in _named(tree["shapes"], "label")}
        listed = frozenset(images.paths[image_id] for image_id in labels)
        yield Document(folder, "labelme", tuple(sorted(names)), images, (), _part(folder, scan), listed)


def _images_beside(folder: Path, files: Mapping[str, Path], scan: FolderScan) -> ImageFolder | None:
    """The images that files of labels with these ids in a folder belong to; None if no image has such an id."""
    beside = [one for one in scan.folders if not one.pattern and files.keys() & one.paths.keys()]
    return max(beside, key=lambda one: (one.folder == folder, _nearness(scan.name(folder), one.name)), default=None)


def _yolo(scan: FolderScan, notes: list[str]) -> Iterator[Document]:
    """The folders of YOLO's text files, each with the folder of its images."""
    by_folder: dict[Path, dict[str, Path]] = {}
    for path in scan.texts:
        by_folder.setdefault(path.parent, {})[path.stem] = path
    for folder, texts in sorted(by_folder.items()):
        images = _images_beside(folder, texts, scan)
        if images is None:
            continue
        labels = {image_id: path for image_id, path in texts.items() if image_id in images.paths}
        filled = [path for path in labels.values() if path.stat().st_size]
        if filled and all(map(has_boxes, filled[:_EXAMINED])):
            files = counted(len(labels), "text file")
            notes.append(
                f"{scan.name(folder)}: {files} with YOLO's boxes; boxes alone make no masks: export polygons (YOLO "
                "segmentation) or COCO"
            )
        if not filled or not all(map(looks_like_yolo, filled[:_EXAMINED])):
            continue
        counts = Counter(index for path in filled for index, _ in _lines(path).values())
        try:
            names = yolo_files(folder, labels).names
        except ToolkitError:  # said where the labels are read
            names = {}
        known = names or {index: str(index) for index in sorted(counts)}
        used = tuple(dict.fromkeys(known.get(index, str(index)) for index in sorted(counts)))
        unused = tuple(name for name in known.values() if name not in used)
        listed = frozenset(images.paths[image_id] for image_id in labels)
        yield Document(folder, "yolo", used, images, unused, _part(folder, scan), listed)


def _lines(path: Path) -> Mapping[int, Any]:
    return lines_of(path) if looks_like_yolo(path) else {}


def _nearness(one: str, other: str) -> tuple[bool, int]:
    """How well the folders of labels and images fit: the same words but `labels`, then the same parents."""
    labels, images = (re.sub(r"labels?|images?", "", name.lower()) for name in (one, other))
    return labels == images, len(set(one.split("/")) & set(other.split("/")))


def _named(entries: Any, key: str) -> tuple[str, ...]:
    """The values of a key in a list of objects; empty if it is not such a list."""
    listed: Sequence[Any] = entries if isinstance(entries, list) else []
    return tuple(str(one.get(key, "")) for one in listed if isinstance(one, dict))


def _read_json(path: Path) -> Any:
    try:
        return json.loads(regular(path).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
