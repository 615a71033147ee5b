"""Reads lists of ids: text files with an id, or the name of an image file, in each line."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from toolkit.errors import DataError, MissingFileError, listing
from toolkit.files.data.sources import Images
from toolkit.files.images.decoding import image_id_of
from toolkit.files.images.image_files import ImageFiles, StackedImages, path_advice

_COLUMNS = re.compile(r"[,;\t ]+")
_ABSENT = "-1"
_HEADERS = frozenset((
    "id", "ids", "image", "images", "image_id", "imageid", "img", "file", "filename", "file_name", "name",
))  # fmt: skip


def read_ids(files: Sequence[Path], images: Images, key: str) -> frozenset[str]:
    """The ids of the images that the lists name.

    A line may hold the id, the name of the image's file or its path, followed by other columns, as in a list of pairs
    of images and masks. Blank lines, lines that begin with # and a heading are skipped.

    Args:
        files: the lists; an image may be in several.
        images: that may be named.
        key: the configuration key of the lists, for messages.

    Raises:
        MissingFileError: a list does not exist.
        DataError: a list is not text, or a line names no image, or several.
    """
    first = images.folders[0] if isinstance(images, StackedImages) else images
    spellings = spellings_of(images.ids, first.paths if isinstance(first, ImageFiles) else {})
    found: set[str] = set()
    for path in files:
        found |= _of_file(path, spellings, images, key)
    return frozenset(found)


def spellings_of(ids: Iterable[str], paths: Mapping[str, Path]) -> dict[str, set[str]]:
    """The ids that a text may mean: each by itself, and by the name of its file with and without extension."""
    spellings: dict[str, set[str]] = {image_id: {image_id} for image_id in ids}
    known = frozenset(spellings)
    for image_id, path in paths.items():
        for text in {path.name, image_id_of(path.name)} - known:
            spellings.setdefault(text, set()).add(image_id)
    return spellings


def lines_of(text: str) -> list[str]:
    """The lines of a list without comments, blank lines and quotes."""
    stripped = (line.strip().strip("\"'") for line in text.splitlines())
    return [line for line in stripped if line and not line.startswith("#")]


def meant_by(line: str, spellings: Mapping[str, set[str]]) -> set[str]:
    """The ids that a line may mean; none if it names no image."""
    return next((spellings[text] for text in _readings(line) if text in spellings), set())


def says_absence(lines: Sequence[str]) -> bool:
    """Whether lines say with 1 and -1 which images show a class, as the lists of a class in Pascal VOC do."""
    second = [columns[1] for line in lines if len(columns := _COLUMNS.split(line)) == 2]
    return len(second) == len(lines) and _ABSENT in second and set(second) <= {"1", "0", _ABSENT}


def _of_file(path: Path, spellings: Mapping[str, set[str]], images: Images, key: str) -> set[str]:
    if not path.is_file():
        raise MissingFileError(f"{key}: there is no file {path}", path_advice(path, key))
    try:
        lines = lines_of(path.read_text("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DataError(
            f"{key}: {path} is not a text file in UTF-8", "Save it as UTF-8, an id in each line."
        ) from error
    if says_absence(lines):
        raise DataError(
            f"{key}: {path} says with 1 and -1 which images show a class; it is no list of images to use",
            "Name a list with nothing but ids, or make one of the lines that you want.",
        )
    if lines and _COLUMNS.split(lines[0])[0].lower() in _HEADERS and not meant_by(lines[0], spellings):
        lines = lines[1:]
    meant = {line: meant_by(line, spellings) for line in lines}
    unknown = [line for line, ids in meant.items() if not ids]
    shown = f"Ids of images are {listing(images.ids, 3)}."
    if unknown or not lines:
        what = f"{len(unknown)} of {len(lines)} lines name no image of {images.origin}: {listing(unknown)}"
        raise DataError(
            f"{key}: {path}: {what if lines else 'it has no lines'}",
            f"{shown} A line holds an id, or the name of an image's file. Remove the lines of other images.",
        )
    several = [f"{line} ({' or '.join(sorted(ids))})" for line, ids in meant.items() if len(ids) > 1]
    if several:
        raise DataError(f"{key}: {path}: lines name several images each: {listing(several)}", shown)
    return {image_id for ids in meant.values() for image_id in ids}


def _readings(line: str) -> Iterator[str]:
    """The texts that may be an id, the surest first."""
    for text in (line, _COLUMNS.split(line)[0]):
        yield text
        yield image_id_of(text)
        name = PurePosixPath(text.replace("\\", "/")).name
        yield name
        yield image_id_of(name)
        yield name.rpartition(".")[0]
