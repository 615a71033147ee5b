"""Finds text files that list ids of images, such as train.txt and val.txt."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from toolkit.config.yaml.file_paths import regular
from toolkit.errors import DataError
from toolkit.files.images.decoding import IMAGE_SUFFIXES
from toolkit.files.images.names.image_folder import ImageFolder
from toolkit.files.images.names.lines_of_ids import lines_of, meant_by, says_absence, spellings_of
from toolkit.files.images.names.pairing import Pairing
from toolkit.files.recognition.folders.folder_scan import FolderScan

_AT_MOST = 200
_BYTES = 20_000_000
_COLUMNS = re.compile(r"[,;\t ]+")


@dataclass(frozen=True)
class IdList:
    """A text file with the ids of images."""

    path: Path
    ids: frozenset[str]


def find_id_lists(scan: FolderScan, images: ImageFolder) -> tuple[IdList, ...]:
    """The text files whose every line names one of the images, the longest first; at most 200 files are read."""
    texts = [path for path in scan.texts if path.stem not in images.paths][:_AT_MOST]
    if not texts:
        return ()
    spellings = spellings_of(images.paths, images.paths)
    found = [IdList(path, ids) for path in texts if (ids := _ids_in(path, spellings))]
    return tuple(sorted(found, key=lambda one: (-len(one.ids), one.path)))


def lists_within(lists: Sequence[IdList], ids: Collection[str]) -> tuple[list[IdList], list[IdList]]:
    """The fewest of the lists that name most of these images and no others, and the rest of such lists."""
    fitting = [one for one in lists if one.ids <= set(ids)]
    chosen: list[IdList] = []
    for one in fitting:  # the longest first
        if not one.ids <= {image_id for other in chosen for image_id in other.ids}:
            chosen.append(one)
    return chosen, [one for one in fitting if one not in chosen]


def refuse_other_pairs(scan: FolderScan, pairing: Pairing) -> None:
    """Refuse masks that are paired by names if a text file with an image and a mask in each line has other pairs.

    Raises:
        DataError: a line has another mask for its image.
    """
    if "*" in pairing.masks.pattern:
        return
    masks, start, end = pairing.masks.paths, pairing.prefix, pairing.suffix
    named = {one: masks[name] for one in pairing.images.paths if (name := f"{start}{one}{end}") in masks}
    other = other_pair(scan.texts, pairing.images.paths, named, masks.values())
    if other is not None:
        raise DataError(
            f"{scan.name(other.path)} pairs {other.image} with {other.listed}, but by their names its mask is "
            f"{other.used}",
            "If the list is right, save it as a CSV with the header image,mask and a comma between the two "
            f"paths of a line, for example as {other.path.stem}.csv beside it; tk init then reads it, and by hand "
            f"write under data: masks: {other.path.stem}.csv. If the names are right, move the list away.",
        )


@dataclass(frozen=True)
class OtherPair:
    """A text file, the name of an image in it, the mask that it lists for the image, and the one that is used."""

    path: Path
    image: str
    listed: str
    used: str


def other_pair(
    texts: Sequence[Path], images: Mapping[str, Path], masks: Mapping[str, Path], every_mask: Iterable[Path]
) -> OtherPair | None:
    """The first pair of text files with an image and a mask in each line that is not one of these; by names of files.

    At most 200 files are read. Images or masks whose names occur in several folders cannot be compared.

    Args:
        texts: the text files.
        images: the file of each id.
        masks: the mask that is used for each id.
        every_mask: all mask files, also those of no image.
    """
    every = Counter(path.name for path in every_mask)
    times = Counter(path.name for path in images.values())
    named = {path.name: masks[one].name for one, path in images.items() if one in masks and times[path.name] == 1}
    for path in texts[:_AT_MOST]:
        for image, listed in _pairs_in(path):
            used = named.get(image)
            if used is not None and every[listed] == 1 and listed != used:
                return OtherPair(path, image, listed, used)
    return None


def _pairs_in(path: Path) -> list[tuple[str, str]]:
    """The names of the two files in each line of a text; none if a line has anything else."""
    try:
        lines = [] if path.stat().st_size > _BYTES else lines_of(regular(path).read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError):
        return []
    pairs = [_COLUMNS.split(line) for line in lines]
    if not all(len(pair) == 2 and all(one.lower().endswith(IMAGE_SUFFIXES) for one in pair) for pair in pairs):
        return []
    return [(PurePosixPath(image).name, PurePosixPath(mask).name) for image, mask in pairs]


def _ids_in(path: Path, spellings: Mapping[str, set[str]]) -> frozenset[str]:
    """The ids in a file; none if a line names no image, or several."""
    try:
        if path.stat().st_size > _BYTES:
            return frozenset()
        lines = lines_of(regular(path).read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError):
        return frozenset()
    if says_absence(lines):
        return frozenset()
    meant = [meant_by(line, spellings) for line in lines]
    return frozenset(one for ids in meant for one in ids) if all(len(ids) == 1 for ids in meant) else frozenset()
