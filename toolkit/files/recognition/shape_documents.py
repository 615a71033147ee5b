"""Finds shapes of objects: a COCO file, or a folder of labelme files."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from toolkit.config.yaml.file_paths import regular
from toolkit.files.images.decoding import image_id_of
from toolkit.files.recognition.folder_scan import FolderScan, ImageFolder


@dataclass(frozen=True)
class Document:
    """Shapes of objects in a COCO file or a folder of labelme files, and the names of their classes."""

    path: Path
    kind: Literal["coco", "labelme"]
    names: tuple[str, ...]


def find_document(scan: FolderScan, images: ImageFolder) -> Document | None:
    """The COCO file, or the folder with a labelme file per image."""
    for path in scan.documents:
        tree = _read_json(path)
        if isinstance(tree, dict) and {"images", "annotations", "categories"} <= tree.keys():
            named = {image_id_of(Path(name).name) for name in _named(tree["images"], "file_name")}
            if named & images.paths.keys():
                return Document(path, "coco", _named(tree["categories"], "name"))
    beside = [path for path in scan.documents if path.stem in images.paths]
    if len(beside) < max(1, len(images.paths) // 2):
        return None
    names: dict[str, None] = {}
    for path in beside:
        tree = _read_json(path)
        if not isinstance(tree, dict) or "shapes" not in tree:
            return None
        names |= dict.fromkeys(_named(tree["shapes"], "label"))
    return Document(beside[0].parent, "labelme", tuple(sorted(names)))


def _named(entries: Any, key: str) -> tuple[str, ...]:
    """The values of a key in a list of objects; empty if it is not such a list."""
    listed = entries if isinstance(entries, list) else []
    return tuple(str(one.get(key, "")) for one in listed if isinstance(one, dict))


def _read_json(path: Path) -> Any:
    try:
        return json.loads(regular(path).read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return None
