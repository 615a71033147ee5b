"""Finds images in folders of folders whose ids, by the tables, are file names or are made of folder and file name."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from toolkit.errors import DataError, MissingFileError
from toolkit.files.disk.tables import read_table
from toolkit.files.images.decoding import image_id_of
from toolkit.files.images.names.image_folder import ImageFolder
from toolkit.files.recognition.folders.channel_stacks import with_channel_stacks
from toolkit.files.recognition.folders.folder_scan import FolderScan
from toolkit.files.recognition.folders.roles import is_mask_folder

_MOST, _HALF = 0.9, 0.5
_SAMPLED = 200
_SEPARATORS = ("_", "-", "")
_ID_COLUMN = re.compile(r"id$|^id|image|img|file|name|slice", re.IGNORECASE)
_MASK_COLUMN = re.compile(r"mask|label|annot|target", re.IGNORECASE)
_SPLIT = re.compile(r"(^|[^a-z])(train|test|val)", re.IGNORECASE)


@dataclass(frozen=True)
class _Form:
    """How a path makes an id: the level of a folder (or None), the text between, and how many words of the stem."""

    depth: int
    level: int | None
    between: str
    words: int
    rest: int

    def id_of(self, parts: Sequence[str]) -> str | None:
        """The id of the parts of a path; None if the path has another form."""
        stem = image_id_of(parts[-1])
        words = stem.split("_")
        if len(parts) != self.depth + 1 or len(words) != self.words + self.rest:
            return None
        name = "_".join(words[: self.words])
        return name if self.level is None else f"{parts[self.level]}{self.between}{name}"


def regrouped(scan: FolderScan) -> FolderScan:
    """A scan, with folders of images joined that belong together: channels of images, and ids of several parts."""
    folders = with_channel_stacks(scan.folders, scan.root)
    if scan.tables and _are_scattered(folders):
        folders = with_composed_ids(folders, ids_in_tables(scan.tables), scan.root)
    return replace(scan, folders=folders)


def ids_in_tables(paths: Sequence[Path]) -> set[str]:
    """Everything in tables that may be the id of an image: cells of the first column, and of those named like ids."""
    found: set[str] = set()
    for path in paths:
        try:
            table = read_table(path, None, path.name, DataError)
        except (DataError, MissingFileError):
            continue
        places = [
            place
            for place, name in enumerate(table.columns)
            if place == 0 or (_ID_COLUMN.search(name) and not _MASK_COLUMN.search(name))
        ]
        found |= {image_id_of(row[place].strip()) for row in table.rows for place in places}
    return found


def _are_scattered(folders: Sequence[ImageFolder]) -> bool:
    """Whether there are several folders of images without a pattern of their own, one of them in another folder."""
    plain = [folder for folder in folders if not folder.pattern and not is_mask_folder(folder)]
    return len(plain) > 1 and any("/" in folder.name for folder in plain)


def with_composed_ids(folders: Sequence[ImageFolder], ids: Collection[str], root: Path) -> tuple[ImageFolder, ...]:
    """The folders, with those joined whose images have the ids of tables by one rule; others with the same rule too."""
    if any(len(folder.paths.keys() & ids) > _HALF * len(folder.paths) for folder in folders if folder.pattern):
        return tuple(folders)
    paths = sorted({path for folder in folders if not is_mask_folder(folder) for path in folder.paths.values()})
    tops = {top: [path for path in paths if path.is_relative_to(top)] for top in _tops(root, paths)}
    forms = {
        form
        for top, below in tops.items()
        if (form := _form(top, below, ids)) is not None and _joined(top, below, form, root) is not None
    }
    joined = [one for top, below in tops.items() for form in forms if (one := _joined(top, below, form, root))]
    taken = {path for one in joined for path in one.paths.values()}
    rest = [folder for folder in folders if not taken.issuperset(folder.paths.values())]
    return (*joined, *rest)


def _tops(folder: Path, paths: Sequence[Path]) -> Iterator[Path]:
    """The folders that each hold one kind of images: those named after a split, or the first that branches."""
    inside = {folder / path.relative_to(folder).parts[0] for path in paths if len(path.relative_to(folder).parts) > 1}
    if len(inside) == 1 or any(_SPLIT.search(child.name) for child in inside):
        for child in sorted(inside):
            if _SPLIT.search(child.name):
                yield child
            else:
                yield from _tops(child, [path for path in paths if path.is_relative_to(child)])
    elif inside:
        yield folder


def _form(top: Path, paths: Sequence[Path], ids: Collection[str]) -> _Form | None:
    """The rule by which most of some files have ids of the tables; None if there is none, or no folders to join."""
    shown = [path.relative_to(top).parts for path in paths[:: max(1, len(paths) // _SAMPLED)]]
    depth = len(shown[0]) - 1 if shown else 0
    if depth < 1 or len({path.parent for path in paths}) < 2:
        return None
    words = len(image_id_of(shown[0][-1]).split("_"))
    forms = [_Form(depth, None, "", words, 0)]
    forms += [
        _Form(depth, level, between, count, words - count)
        for count in range(words, 0, -1)
        for level in (None, *range(depth))
        for between in _SEPARATORS
    ]
    shares = [(sum(form.id_of(parts) in ids for parts in shown), -place) for place, form in enumerate(forms)]
    best, place = max(shares)
    return forms[-place] if best > _HALF * len(shown) else None


def _joined(top: Path, paths: Sequence[Path], form: _Form, root: Path) -> ImageFolder | None:
    """One folder of all images of this form; None if most files have another form, or two of them the same id."""
    found: dict[str, Path] = {}
    for path in paths:
        image_id = form.id_of(path.relative_to(top).parts)
        if image_id in found:
            return None
        if image_id is not None:
            found[image_id] = path
    if not found or len(found) < _MOST * len(paths):
        return None
    pattern, template = _pattern(top, found, form)
    return ImageFolder(top, top.relative_to(root).as_posix(), found, pattern, template)


def _pattern(top: Path, found: Mapping[str, Path], form: _Form) -> tuple[str, str]:
    """The pattern of the paths below a folder, and how its parts make the id."""
    several = [path.relative_to(top).parts for path in found.values()]
    name = "{id}" if form.level is None else "{file}"
    levels = [
        "{folder}" if level == form.level else texts.pop() if len(texts) == 1 else "*"
        for level, texts in ((level, {parts[level] for parts in several}) for level in range(form.depth))
    ]
    endings = {Path(parts[-1]).suffix for parts in several}
    ending = endings.pop() if len(endings) == 1 else ".*"
    pattern = "/".join([*levels, name + "_*" * form.rest + ending])
    return pattern, "" if form.level is None else f"{{folder}}{form.between}{{file}}"
