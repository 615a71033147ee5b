"""Images of more than 8 bits whose range nobody has named: refused where it is needed, told where it helps."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toolkit.errors import DataError
from toolkit.files.data.merging import MergedImages
from toolkit.files.data.sources import Images
from toolkit.files.images.decoding import UnreadableImageError, stored_depth
from toolkit.files.images.image_files import ImageFiles, StackedImages
from toolkit.messages import Progress

_LEVELS = 64
"""So few of 256 levels, or fewer, are a small part of them."""


@dataclass(frozen=True)
class _Limits:
    kind: str
    low: float
    high: float


def check_depths(images: Images, key: str, progress: Progress) -> None:
    """Look at the values of files of more than 8 bits; `key` leads to the source that they belong to.

    Files that cannot be read are for those to tell who read all of them.

    Raises:
        DataError: they are of a type that says nothing of its range; names the range that all images have together.
    """
    for part in _files(images):
        deep = [image_id for image_id in part.ids if _is_deep(part.paths[image_id])]
        if part.ranges:
            if not deep:
                progress.warn(f"{key}.value_range is of no account: all images of {part.origin} have 8 bits")
            continue
        with ThreadPoolExecutor() as pool:
            limits = pool.map(lambda image_id, part=part: _limits(part, image_id), deep)
            found = [one for one in limits if one is not None]
        if found:
            _judge(part, found, key, progress)


def _files(images: Images) -> list[ImageFiles]:
    """The folders of images; where the ranges are those of several folders together they are left out."""
    if isinstance(images, MergedImages):
        return [part for one in images.parts for part in _files(one)]
    if isinstance(images, StackedImages):
        return [] if images.ranges else list(images.parts)
    return [images] if isinstance(images, ImageFiles) else []


def _judge(images: ImageFiles, found: list[_Limits], key: str, progress: Progress) -> None:
    low, high = min(one.low for one in found), max(one.high for one in found)
    kinds = sorted({one.kind for one in found})
    line = f"value_range: [{low:g}, {high:g}]"
    if kinds != ["uint16"]:
        raise DataError(
            f"{key}.images: {len(found)} images of {images.origin} have pixels of type {', '.join(kinds)}, from "
            f"{low:g} to {high:g}: which become black and white?",
            f"Add under {key}: {line}",
        )
    if high < _LEVELS * 256:
        progress.warn(
            f"{len(found)} images of {images.origin} have 16 bits but no value above {high:g}: their upper 8 bits have "
            f"only {int(high) // 256 + 1} levels. Add under {key}: {line}"
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
