"""Reads lists of ids: text files with an id, or the name of an image file, in each line."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from toolkit.config.yaml.file_paths import regular
from toolkit.errors import DataError, MissingFileError, listing
from toolkit.files.data.neighbours import own_slices
from toolkit.files.data.sources import Images
from toolkit.files.images.image_files import ImageFiles, StackedImages, path_advice
from toolkit.files.images.names.lines_of_ids import is_heading, lines_of, meant_by, says_absence, spellings_of


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
    own = own_slices(images)
    first = own.folders[0] if isinstance(own, StackedImages) else own
    spellings = spellings_of(images.ids, first.paths if isinstance(first, ImageFiles) else {})
    found: set[str] = set()
    for path in files:
        found |= _of_file(path, spellings, images, key)
    return frozenset(found)


def _of_file(path: Path, spellings: Mapping[str, set[str]], images: Images, key: str) -> set[str]:
    if not path.is_file():
        raise MissingFileError(f"{key}: there is no file {path}", path_advice(path, key))
    try:
        lines = lines_of(regular(path).read_text("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DataError(
            f"{key}: {path} is not a text file in UTF-8", "Save it as UTF-8, an id in each line."
        ) from error
    if says_absence(lines):
        raise DataError(
            f"{key}: {path} says with 1 and -1 which images show a class; it is no list of images to use",
            "Name a list with nothing but ids, or make one of the lines that you want.",
        )
    if lines and is_heading(lines[0]) and not meant_by(lines[0], spellings):
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
