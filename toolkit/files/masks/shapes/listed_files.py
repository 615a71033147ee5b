"""Finds the image files that a document names: with folders, with prefixes of labelling tools, or by other endings."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from toolkit.config.yaml.file_paths import visible_files
from toolkit.errors import DataError, listing
from toolkit.files.images.decoding import IMAGE_SUFFIXES, image_id_of

_UPLOADED = re.compile(r"^[0-9a-f]{8}-")  # Label Studio puts this before the names of uploaded files


def files_of_names(names: Iterable[str], paths: Mapping[str, Path], key: str) -> dict[str, str]:
    """The id of the image that each name means; names without a file are left out.

    A name means the file with this name whose folders it has too, as far as it has any: of `cam1/07.jpg` and
    `cam2/07.jpg`, the name `data/cam1/07.jpg` means the first. If no file has the name, the name without its ending
    decides.

    Args:
        names: as a document spells them.
        paths: the image files by id.
        key: the configuration key of the document, for messages.

    Raises:
        DataError: a name means several files, or several names mean one file.
    """
    by_name: dict[str, list[str]] = {}
    parts = {image_id: _parts(path.absolute().as_posix()) for image_id, path in paths.items()}
    for image_id, one in parts.items():
        for short in {one[-1], image_id_of(one[-1])}:
            by_name.setdefault(short, []).append(image_id)
    best: dict[str, tuple[int, str]] = {}
    doubtful: dict[str, list[str]] = {}
    for name in names:
        length, found = _nearest(name, by_name, parts)
        if len(found) > 1:
            doubtful[name] = found
        for image_id in found[:1]:
            before = best.get(image_id)
            if before is not None and before[0] == length and before[1] != name:
                raise DataError(
                    f"{key}: {before[1]} and {name} are the same image, {paths[image_id]}",
                    "Keep one entry of `images` for each image, or name the folder that holds all of these images.",
                )
            if before is None or before[0] < length:
                best[image_id] = (length, name)
    if doubtful:
        name, several = next(iter(doubtful.items()))
        told = " and ".join(str(paths[image_id]) for image_id in several[:2])
        raise DataError(
            f"{key}: {len(doubtful)} names of images stand for several files: {listing(doubtful, 3)}; {name} may be "
            f"{told}",
            f"Name the folder that holds these images, for example images: {paths[several[0]].parent}, or put folders "
            "into file_name.",
        )
    return {name: image_id for image_id, (_, name) in best.items()}


def images_in_folders(root: Path, names: Iterable[str], key: str) -> dict[str, Path]:
    """The images of those folders, the root or below it, that hold a file with one of the names, by id.

    Raises:
        DataError: as `files_of_names`, or two files have the same id.
    """
    every = _images_below(root)
    found = files_of_names(names, {path.relative_to(root).as_posix(): path for path in every}, key)
    folders = {(root / relative).parent for relative in found.values()}
    return ids_of_paths([path for path in every if path.parent in folders], root)


def _images_below(folder: Path) -> list[Path]:
    """All image files in a folder and below, sorted; hidden ones are left out."""
    return [path for _, paths in visible_files(folder) for path in paths if path.suffix.lower() in IMAGE_SUFFIXES]


def ids_of_paths(paths: Iterable[Path], root: Path) -> dict[str, Path]:
    """Ids of image files in several folders below one: their names without ending, with the folders if names recur.

    `cam1/07.jpg` and `cam2/07.jpg` are `cam1_07` and `cam2_07`: an id has no slash.

    Raises:
        DataError: two files in one folder differ only in their ending.
    """
    listed = list(paths)
    plain = [image_id_of(path.name) for path in listed]
    if len(set(plain)) == len(plain):
        return dict(zip(plain, listed, strict=True))
    folders = [path.relative_to(root).parent.parts for path in listed]
    for joint in ("_", "__", "___"):
        ids = [joint.join((*above, name)) for above, name in zip(folders, plain, strict=True)]
        if len(set(ids)) == len(ids):
            return dict(zip(ids, listed, strict=True))
    twice = sorted({name for name in ids if ids.count(name) > 1})
    raise DataError(f"{root}: several files have the same id: {listing(twice)}", "Keep one file for each id.")


def _nearest(
    name: str, by_name: Mapping[str, list[str]], parts: Mapping[str, tuple[str, ...]]
) -> tuple[int, list[str]]:
    """How many parts of a path the name shares with its files, counted from the end, and their ids."""
    for wanted in _spellings(name):
        found = by_name.get(wanted[-1]) or by_name.get(image_id_of(wanted[-1]))
        if found:
            shared = {image_id: _shared(wanted, parts[image_id]) for image_id in found}
            longest = max(shared.values())
            return longest, [image_id for image_id in found if shared[image_id] == longest]
    return 0, []


def _shared(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """How many parts two paths share from the end; the ending of the name does not count."""
    count = 1
    for here, there in zip(one[-2::-1], other[-2::-1], strict=False):
        if here != there:
            break
        count += 1
    return count


def _spellings(name: str) -> Iterator[tuple[str, ...]]:
    """A name as the parts of a path: as it is, then as the address of a file, then without a prefix of uploads."""
    plain = _parts(name)
    if not plain:
        return
    yield plain
    address = _parts(unquote(name.rpartition("?d=")[2] or name))
    if address and address != plain:
        yield address
    last = (address or plain)[-1]
    if _UPLOADED.match(last):
        yield (*(address or plain)[:-1], _UPLOADED.sub("", last))


def _parts(path: str) -> tuple[str, ...]:
    text = unicodedata.normalize("NFC", path.replace("\\", "/"))
    return tuple(part for part in PurePosixPath(text).parts if part not in ("/", ".", ".."))
