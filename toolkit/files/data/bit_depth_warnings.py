"""Images of more than 8 bits without a `value_range`: an error if their type has no natural range, else a warning."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toolkit.errors import DataError
from toolkit.files.data.merging import MergedImages
from toolkit.files.data.neighbours import own_slices
from toolkit.files.data.sources import Images
from toolkit.files.images.decoding import UnreadableImageError, stored_depth
from toolkit.files.images.image_files import ImageFiles, StackedImages
from toolkit.messages import Progress

_FEW_LEVELS = 64
"""16-bit images that fill no more than this many of the 256 levels after scaling get a warning."""


@dataclass(frozen=True)
class _Limits:
    dtype: str
    low: float
    high: float


def check_bit_depths(images: Images, key: str, progress: Progress) -> None:
    """Check the values of files of more than 8 bits.

    Files that cannot be read are skipped: `check_training_data` and `check_test_data` report them.

    Args:
        images: of one source.
        key: the configuration key of the source, for messages.
        progress: receives the warnings.

    Raises:
        DataError: pixels are floats or integers other than `uint8` and `uint16`, and no `value_range` is set. The
            message has the smallest and the largest value of all images.
    """
    for origin, folders in _together(own_slices(images)):
        deep = [(folder, one) for folder in folders for one in folder.ids if _is_deep(folder.paths[one])]
        if folders[0].ranges:
            if not deep:
                progress.warn(f"{key}.value_range is ignored: all images in {origin} have 8 bits")
            continue
        with ThreadPoolExecutor() as pool:
            limits = pool.map(lambda item: _limits(*item), deep)
            found = [(image_id, one) for (_, image_id), one in zip(deep, limits, strict=True) if one is not None]
        if found:
            _check_limits(origin, len(dict(found)), [one for _, one in found], key, progress)


def few_levels(images: Images) -> dict[str, float]:
    """The 16-bit images that fill few of the 256 levels after scaling, with their largest values.

    Images with a `value_range` and files that cannot be read are left out.
    """
    found = {}
    for folder in _folders(own_slices(images)):
        deep = [] if folder.ranges else [one for one in folder.ids if _is_deep(folder.paths[one])]
        for image_id in deep:
            limits = _limits(folder, image_id)
            if limits is not None and limits.dtype == "uint16" and limits.high < _FEW_LEVELS * 256:
                found[image_id] = limits.high
    return found


def _together(images: Images) -> list[tuple[str, list[ImageFiles]]]:
    """The folders of images by name; those of channels that one folder holds are taken together."""
    if isinstance(images, MergedImages):
        return [one for source in images.sources for one in _together(source)]
    if isinstance(images, StackedImages) and images.place:
        return [] if images.ranges else [(images.place, list(images.folders))]
    return [(folder.origin, [folder]) for folder in _folders(images)]


def _folders(images: Images) -> list[ImageFiles]:
    """The folders of images, without folders that share a list of ranges."""
    if isinstance(images, MergedImages):
        return [folder for source in images.sources for folder in _folders(source)]
    if isinstance(images, StackedImages):
        return [] if images.ranges else list(images.folders)
    return [images] if isinstance(images, ImageFiles) else []


def _check_limits(origin: str, count: int, found: list[_Limits], key: str, progress: Progress) -> None:
    low, high = min(one.low for one in found), max(one.high for one in found)
    dtypes = sorted({one.dtype for one in found})
    line = f"value_range: [{low:g}, {high:g}]"
    if dtypes != ["uint16"]:
        raise DataError(
            f"{key}.images: {count} images in {origin} have pixels of type {', '.join(dtypes)} with values "
            f"from {low:g} to {high:g}; a value range is required to scale them to 8 bits",
            f"Add under {key}: {line}",
        )
    if high < _FEW_LEVELS * 256:
        progress.warn(
            f"{count} images in {origin} have 16 bits, but no value above {high:g}: scaled to 8 bits they "
            f"have only {int(high) // 256 + 1} levels. Add under {key}: {line}"
        )


def _is_deep(path: Path) -> bool:
    try:
        return stored_depth(path) > 8
    except UnreadableImageError:
        return False


def _limits(images: ImageFiles, image_id: str) -> _Limits | None:
    try:
        stored = images.stored(image_id)
    except UnreadableImageError:
        return None
    if stored.dtype.kind not in "buif":
        return None
    values = stored[np.isfinite(stored)] if stored.dtype.kind == "f" else stored
    if not values.size:
        return _Limits(str(stored.dtype), 0.0, 0.0)
    return _Limits(str(stored.dtype), float(values.min()), float(values.max()))
