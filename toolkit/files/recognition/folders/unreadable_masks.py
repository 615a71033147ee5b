"""Tells folders of arrays that are neither images nor masks, because they have more than three dimensions."""

from collections.abc import Sequence

from toolkit.errors import DataError
from toolkit.files.images.array_files import ARRAY_SUFFIXES
from toolkit.files.images.decoding import MASK_ARRAYS, read_size
from toolkit.files.images.names.image_folder import ImageFolder


def without_unreadable(
    folders: Sequence[ImageFolder],
) -> tuple[list[ImageFolder], list[tuple[ImageFolder, str]]]:
    """The folders without those whose first array has no shape of an image, and these with what it holds."""
    reasons = [_reason(folder) for folder in folders]
    pairs = list(zip(folders, reasons, strict=True))
    return [folder for folder, why in pairs if not why], [
        (folder, f"files; each {why}") for folder, why in pairs if why
    ]


def _reason(folder: ImageFolder) -> str:
    """Why the first array of a folder cannot be read; empty if it can, or is no array."""
    first = next(iter(folder.paths.values()))
    if first.suffix.lower() not in ARRAY_SUFFIXES:
        return ""
    try:
        read_size(first, MASK_ARRAYS)
    except DataError as error:
        return error.message.removeprefix(f"{first} ")
    return ""
