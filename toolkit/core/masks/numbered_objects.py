"""Telling numbers of objects from numbers of classes: each object is in one piece, and files number other objects."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import cv2
import numpy as np
import numpy.typing as npt
from skimage import measure

_WHOLE = 1.2  # mean components of an object
_MORE_THAN_CLASSES = 64
_SEVERAL = 3
_MANY = 10
_DENSE = 0.5
_SELDOM = 1 / 3
_COMMON = 2 / 3
_ONCE = 1.1
_PIXELS = 4  # of most objects; specks of compression are smaller
_FEW_VALUES = 8
_FEWEST_CLASSES = 4
_TORN = 4.0  # times the components of any other value
_PIXELS_AT_MOST = 16_000_000


@dataclass(frozen=True)
class Numbers:
    """The numbers above 0 of one mask: how many there are in all, the largest, and their components.

    `listed` has the pixels of each number, or of the most frequent ones; `pieces` is 0 if components were not counted.
    """

    listed: Mapping[int, int]
    distinct: int
    largest: int
    pieces: int


def pieces_of(plane: npt.NDArray[np.generic], values: npt.NDArray[np.int64]) -> dict[int, int]:
    """The number of connected components of each value; pixels that touch at a corner connect.

    Args:
        plane: whole numbers (height, width).
        values: the sorted values that it holds.

    Returns:
        components by value. Many values of a large mask are counted in its first rows only, to save memory.
    """
    if len(values) <= _FEW_VALUES:
        masks = ((int(value), (plane == value).astype(np.uint8)) for value in values)
        return {value: cv2.connectedComponents(mask)[0] - 1 for value, mask in masks}
    rows = max(1, _PIXELS_AT_MOST // plane.shape[1])
    codes = np.searchsorted(values, plane[:rows]).astype(np.int64)
    pieces = measure.label(codes, background=-1, connectivity=2)  # type: ignore[no-untyped-call]
    of_piece = np.zeros(int(pieces.max()) + 1, np.int64)
    of_piece[pieces.ravel()] = codes.ravel()
    counts = np.bincount(of_piece[1:], minlength=len(values))
    return {int(value): int(count) for value, count in zip(values, counts, strict=True)}


def are_whole(files: Sequence[Numbers]) -> bool:
    """Whether nearly every number is one connected component, as far as they were counted."""
    counted = [one for one in files if one.pieces]
    return bool(counted) and sum(one.pieces for one in counted) <= _WHOLE * sum(one.distinct for one in counted)


def why_objects(files: Sequence[Numbers]) -> str:
    """Why numbers are those of objects, in words; empty if they may be classes.

    Args:
        files: the masks with numbers above 0.
    """
    if len(files) < 2 or not are_whole(files):
        return ""
    counts = [one.distinct for one in files]
    largest = max(one.largest for one in files)
    differ = len(set(counts)) > 1 and max(counts) >= _SEVERAL
    if differ and all(one.largest == one.distinct for one in files):
        return f"files hold the numbers 1, 2, … up to {largest}, one component each, and different counts of them"
    if any(median(one.listed.values()) < _PIXELS for one in files):
        return ""
    if max(counts) > _MORE_THAN_CLASSES:
        return f"files hold up to {max(counts)} numbers, one component each: more than there are classes"
    if differ and median(counts) >= _MANY and all(one.distinct >= _DENSE * one.largest for one in files):
        return f"files hold most of the numbers up to {largest}, one component each, and different counts of them"
    return _why_others(files, counts)


def _why_others(files: Sequence[Numbers], counts: Sequence[int]) -> str:
    """Why numbers with gaps are those of objects: most files use others."""
    if median(counts) < _SEVERAL:
        return ""
    uses = Counter(number for one in files for number in one.listed)
    recurring = uses.total() / len(uses)
    seldom = len(files) > _SEVERAL and recurring <= _SELDOM * len(files)
    if recurring <= _ONCE or (seldom and max(uses.values()) <= _COMMON * len(files)):
        return f"files hold different numbers, {len(uses)} in all, one component each"
    return ""


def torn_value(components: Sequence[Mapping[int, int]], classes: Sequence[int]) -> tuple[float, float] | None:
    """Mean components of the largest value in an image and the most of any other value, if those are far fewer.

    Args:
        components: of each value, in each mask where they were counted.
        classes: the values, ascending.
    """
    if len(classes) < _FEWEST_CLASSES:
        return None
    means = {}
    for value in classes:
        counts = [mask[value] for mask in components if value in mask]
        means[value] = float(np.mean(counts)) if counts else 0.0
    largest, others = means[classes[-1]], max(means[value] for value in classes[:-1])
    return (largest, others) if largest >= _TORN * max(1.0, others) else None


def numbered_background(frames: Sequence[Mapping[int, int]], files: int) -> tuple[str, str]:
    """Why one of the numbers of objects may be the background, and what to do; empty texts if none may be.

    Args:
        frames: pixels of each number in the outermost rows and columns of each mask without a 0.
        files: all masks.
    """
    most = {max(frame, key=lambda number: frame[number]) for frame in frames if frame}
    if len(frames) < files or len(most) != 1 or not all(frames):
        return "", ""
    background = most.pop()
    if any(2 * frame[background] < sum(frame.values()) for frame in frames):
        return "", ""
    why = f"files number objects, but none holds 0, and {background} fills the image borders: it may be the background"
    advice = "If it is, save the masks with 0 in its place; then they are read as numbers of objects."
    if background == 1:
        advice += " To train without telling objects apart, write under data: value_ranges: {foreground: [2, 65535]}"
    return why, advice
