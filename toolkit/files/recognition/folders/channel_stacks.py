"""Finds images whose channels are files of their own, numbered in the folder of each image, with a mask beside them."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from toolkit.errors import counted
from toolkit.files.images.channel_files import FileNames, in_order
from toolkit.files.images.names.image_folder import ImageFolder
from toolkit.files.recognition.folders.roles import is_mask_folder

_MOST = 0.9
_FILES_AT_MOST = 1024  # in a folder of one image
_NUMBERED = re.compile(r"(.*?)(\d+)(\D*)")
_CHANNEL = "{channel}"

_Files = dict[str, list[tuple[str, Path]]]
"""The files of a pattern by image, each with the name of its channel, or an empty text."""


_Subfolders = dict[str, dict[str, dict[str, Path]]]
"""The files of each subfolder by pattern and channel."""


def with_channel_stacks(folders: Sequence[ImageFolder], root: Path) -> tuple[ImageFolder, ...]:
    """The folders, with those joined that hold the channels of the same images.

    Files are channels if every image has nearly the same numbers of them (`00.tif` to `64.tif`, `band_08.npy` to
    `band_16.npy`), and a single file beside them is a mask by its name. Folders with the same pattern, such as those of
    test images, need no mask.
    """
    by_parent = _patterns(folders, root)
    patterns = {parent: _shared(subfolders) for parent, subfolders in by_parent.items()}
    known = {
        pattern
        for parent, files in patterns.items()
        if len(by_parent[parent]) > 1
        and any(is_mask_folder(one) for one in _folders(parent, root, files) if _CHANNEL not in one.pattern)
        for pattern in files
        if _CHANNEL in pattern
    }
    found: list[ImageFolder] = []
    taken: set[Path] = set()
    for parent, files in patterns.items():
        if known & files.keys():
            kept = {
                pattern: several for pattern, several in files.items() if _CHANNEL not in pattern or pattern in known
            }
            found += _folders(parent, root, kept)
            taken |= {path for several in kept.values() for one in several.values() for _, path in one}
    rest = [folder for folder in folders if not taken.issuperset(folder.paths.values())]
    return (*found, *rest)


def channels_of(folder: ImageFolder) -> list[str]:
    """The names of the channels of a folder whose pattern has `{channel}`, in their order."""
    first = next(iter(folder.paths.values()))
    beside = re.compile(re.escape(folder.pattern.rpartition("/")[2]).replace(re.escape(_CHANNEL), r"(\d+)"))
    return in_order(match[1] for path in first.parent.iterdir() if (match := beside.fullmatch(path.name)) is not None)


def file_names_of(folder: ImageFolder, files: Mapping[str, Any]) -> FileNames:
    """How the ids and channels of a folder are read: with the channels of a competition's `files` if they are there."""
    if not folder.has_channels:
        return FileNames(folder.template or None)
    there = channels_of(folder)
    if files.get("image_name") != folder.pattern or not set(files.get("channels", ())) <= set(there):
        return FileNames(None, tuple(there))
    return FileNames(None, tuple(files.get("channels", there)), tuple(files.get("planes", ())))


def keys_of_names(folder: ImageFolder, names: FileNames, competition: str) -> Iterator[tuple[str, Any, str, str]]:
    """The keys that read a folder with a pattern, each with its value, the reason, and an alternative.

    `competition` is the name of the one that the folder is like.
    """
    if folder.template:
        yield "image_id", folder.template, "the tables name images by these parts of their paths", ""
    why = f"one folder for each of {counted(len(folder.paths), 'image')}"
    if "*" in folder.pattern:
        why = "the tables name images so, whatever folder they are in"
    yield "image_name", folder.pattern, why, ""
    if not folder.has_channels:
        return
    there = channels_of(folder)
    every = f"each image has {len(there)} files, {there[0]} to {there[-1]}"
    if names.channels == tuple(there):
        yield "channels", None, f"{every}, which are its channels", f"channels: {there[:2]}, to use some of them"
    else:
        yield (
            "channels",
            names.channels,
            f"{every}; these are the usual ones for {competition}",
            "all: leave out channels",
        )
    if names.planes:
        yield "planes", names.planes, f"the labelled part of each file, counted from 0, in {competition}", ""


def path_of_channel(folder: ImageFolder, path: Path, channel: str) -> Path:
    """The file of a channel beside another one of the same image; that one if the folder has no channels."""
    if not folder.has_channels:
        return path
    before, _, after = folder.pattern.rpartition("/")[2].partition(_CHANNEL)
    return path.with_name(f"{before}{channel}{after}")


def _patterns(folders: Sequence[ImageFolder], root: Path) -> dict[Path, _Subfolders]:
    """Of each folder with subfolders: the files of each subfolder by pattern and channel."""
    together = Counter(path.parent for folder in folders for path in folder.paths.values())
    few = {place for place, count in together.items() if count <= _FILES_AT_MOST}
    found: dict[str, _Subfolders] = defaultdict(lambda: defaultdict(lambda: defaultdict(dict)))
    for path in dict.fromkeys(path for folder in folders for path in folder.paths.values() if path.parent in few):
        parts = path.parts[len(root.parts) :]
        for level in range(max(0, len(parts) - 3), len(parts) - 1):  # of the image's folder, at most two above the file
            image = parts[level]
            name, channel = _channel_of(path.stem, image)
            pattern = "/".join(("{id}", *parts[level + 1 : -1], f"{name}{path.suffix}"))
            found["/".join(parts[:level])][image][pattern][channel] = path
    return {root / parent: subfolders for parent, subfolders in found.items()}


def _channel_of(stem: str, image: str) -> tuple[str, str]:
    """The pattern of a file name, and the number of the channel in it; an empty text if it has none."""
    named = stem if image.isdecimal() else stem.replace(image, "{id}")
    numbered = None if "{id}" in named else _NUMBERED.fullmatch(named)
    return (named, "") if numbered is None else (f"{numbered[1]}{_CHANNEL}{numbered[3]}", numbered[2])


def _shared(subfolders: Mapping[str, Mapping[str, Mapping[str, Path]]]) -> dict[str, _Files]:
    """The patterns that nearly all subfolders have, with nearly the same channels in each."""
    names: dict[str, list[set[str]]] = defaultdict(list)
    for patterns in subfolders.values():
        for pattern, files in patterns.items():
            names[pattern].append(set(files))
    found: dict[str, _Files] = {}
    for pattern, several in names.items():
        every = set().union(*several)
        alike = all(len(channels) >= _MOST * len(every) for channels in several)
        if len(several) >= _MOST * len(subfolders) and alike and (_CHANNEL not in pattern or len(every) > 1):
            found[pattern] = {
                image_id: sorted(patterns[pattern].items())
                for image_id, patterns in sorted(subfolders.items())
                if pattern in patterns
            }
    return found


def _folders(parent: Path, root: Path, patterns: Mapping[str, _Files]) -> list[ImageFolder]:
    name = parent.relative_to(root).as_posix()
    return [
        ImageFolder(parent, name, {image_id: several[0][1] for image_id, several in files.items()}, pattern)
        for pattern, files in sorted(patterns.items())
    ]
