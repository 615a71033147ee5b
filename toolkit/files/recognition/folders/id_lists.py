"""Finds text files that list ids of images, such as train.txt and val.txt."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.config.yaml.file_paths import regular
from toolkit.files.images.names.image_folder import ImageFolder
from toolkit.files.images.names.lines_of_ids import lines_of, meant_by, says_absence, spellings_of
from toolkit.files.recognition.folders.folder_scan import FolderScan

_AT_MOST = 200
_BYTES = 20_000_000


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
