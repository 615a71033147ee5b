"""What is left of a map's masks at every threshold when small objects are dropped, from one tree of its components."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Integers, Mask
from toolkit.core.images.chunks import chunks, look_up
from toolkit.core.recipe.probabilities import Stored, to_levels

Levels = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int32]
"""Of pixels, peaks or branches: half the memory of `int64`."""

_CELLS_AT_ONCE = 1 << 23


@dataclass(frozen=True, eq=False)
class KeptAreas:
    """Areas of the objects that are large enough, at all 255 thresholds and for several minimum object sizes.

    Each is `int64 (255, sizes)`. `intersection` and `predicted` count the pixels that are not void. `sizes` counts void
    ones too, which the minimum size of an object and the minimum area of a mask look at.
    """

    intersection: Integers
    predicted: Integers
    sizes: Integers


def kept_areas(stored: Stored, truth: Mask, minimum_sizes: Integers, valid: Mask | None = None) -> KeptAreas:
    """Drop the small objects of one image at every threshold and for every minimum object size at once.

    The objects at a threshold are the components (8-connected) of the pixels above it. As it falls they grow and merge.
    Each pixel is led uphill to a peak; two peaks belong to one object at all thresholds up to the highest pass between
    them. So areas are counted by peak and level and added up along the passes, the highest first. That is the component
    tree (max-tree, https://doi.org/10.1109/83.663500) in its branches, found without a loop over pixels.

    Args:
        stored: kept map of (height, width), `uint8` or `float16`.
        truth: `bool (height, width)`, False in ignored pixels.
        minimum_sizes: `int64 (sizes,)`, in pixels, ascending; 0 and 1 drop nothing.
        valid: `bool (height, width)`, False in ignored pixels; None where there are none.

    Raises:
        ValueError: the minimum sizes do not ascend.
    """
    if (np.diff(minimum_sizes) < 0).any():
        raise ValueError(f"minimum sizes must ascend, received {minimum_sizes.tolist()}")
    levels = np.ascontiguousarray(to_levels(stored))
    peaks, heights = _peaks(levels)
    branch_of, joints = _branches(_passes(levels, peaks, len(heights)), heights)
    count = int(branch_of.max(initial=-1)) + 1
    above_zero = levels > 0  # no threshold is below 0: the other pixels are never in an object
    branches = look_up(branch_of.astype(np.int32), peaks) if count else peaks
    del peaks
    masks = [above_zero, above_zero & truth] if valid is None else [above_zero, above_zero & truth, above_zero & valid]
    pixels = [(branches[mask], levels[mask]) for mask in masks]
    del branches
    kept = np.empty((len(pixels), 255, len(minimum_sizes)), np.int64)
    width = max(1, _CELLS_AT_ONCE // max(1, count * len(pixels)))
    for low in range(1, 256, width):
        high = min(low + width, 256)
        areas = np.empty((len(pixels), count, high - low), np.int64)
        for kind, (some_branches, some_levels) in zip(areas, pixels, strict=True):
            kind[:] = _areas(some_branches, some_levels, count, low, high)
        _unite(areas, joints, low)
        kept[:, low - 1 : high - 1] = _kept(areas, minimum_sizes)
    sizes, intersection = kept[:2]
    return KeptAreas(intersection, sizes if valid is None else kept[2], sizes)


def _peaks(levels: Levels) -> tuple[Numbers, Integers]:
    """Number the peaks that pixels lead uphill to from 0, `int32 (height, width)`, and tell their levels.

    A pixel leads to its highest neighbour, of equals to the last one, until none is higher. For pixels at level 0,
    which no peak needs, any number does.
    """
    uphill = _uphill(levels).ravel()
    moves = True
    while moves:
        moves = False
        for chunk in chunks(uphill.shape):
            further = uphill[uphill[chunk]]
            moves |= not np.array_equal(further, uphill[chunk])
            uphill[chunk] = further
    tops = np.concatenate(
        [
            np.flatnonzero((uphill[chunk] == np.arange(chunk.start, chunk.stop)) & (levels.ravel()[chunk] > 0))
            + chunk.start
            for chunk in chunks(uphill.shape)
        ]
    )
    numbers = np.zeros(levels.size, np.int32)
    numbers[tops] = np.arange(len(tops))
    return look_up(numbers, uphill).reshape(levels.shape), levels.ravel()[tops].astype(np.int64)


def _uphill(levels: Levels) -> Numbers:
    """Which pixel, counted row by row, each leads to: its highest neighbour or itself, `int32 (height, width)`."""
    height, width = levels.shape
    uphill = np.empty(levels.shape, np.int32)
    for rows in chunks(levels.shape):
        first, last = max(rows.start - 1, 0), min(rows.stop + 1, height)
        keys = np.full((rows.stop - rows.start + 2, width + 2), -1, np.int64)
        numbers = np.arange(first * width, last * width).reshape(-1, width)
        begin = first - rows.start + 1
        keys[begin : begin + last - first, 1:-1] = levels[first:last] * np.int64(levels.size) + numbers
        highest = np.maximum(np.maximum(keys[:-2], keys[1:-1]), keys[2:])
        highest = np.maximum(np.maximum(highest[:, :-2], highest[:, 1:-1]), highest[:, 2:])
        uphill[rows] = highest % levels.size
    return uphill


def _passes(levels: Levels, peaks: Numbers, count: int) -> Integers:
    """The highest pass above 0 between each two neighbouring peaks: rows of level, peak and peak, the highest first."""
    height, found = levels.shape[0], [np.empty(0, np.int64)]
    for rows in chunks(levels.shape):
        some = slice(rows.start, min(rows.stop + 1, height))
        found.append(_highest(np.concatenate(list(_crossings(levels[some], peaks[some], count)))))
    codes = _highest(np.concatenate(found))
    pairs, depths = codes >> 8, codes & 255
    order = np.argsort(depths, kind="stable")
    return np.stack([255 - depths, pairs // max(count, 1), pairs % max(count, 1)], axis=1)[order]


def _crossings(levels: Levels, peaks: Numbers, count: int) -> Iterator[Integers]:
    """A code for each two neighbouring pixels that lead to different peaks: the peaks, then how deep the pass is."""
    height, width = levels.shape
    for down, across in ((0, 1), (1, -1), (1, 0), (1, 1)):
        here = np.s_[: height - down, max(-across, 0) : width - max(across, 0)]
        there = np.s_[down:, max(across, 0) : width + min(across, 0)]
        lower = np.minimum(levels[here], levels[there])
        crossing = (peaks[here] != peaks[there]) & (lower > 0)
        first, second = peaks[here][crossing].astype(np.int64), peaks[there][crossing]
        yield (np.minimum(first, second) * count + np.maximum(first, second)) * 256 + (255 - lower[crossing])


def _highest(codes: Integers) -> Integers:
    """Of the codes of each pair of peaks that of the highest pass, in order."""
    codes = np.sort(codes)
    return codes[np.diff(codes >> 8, prepend=-1) > 0]  # the first code of a pair is its highest pass


def _branches(passes: Integers, heights: Integers) -> tuple[Integers, Integers]:
    """Join peaks along the passes, where no higher pass has joined them yet.

    Returns:
        For each peak its branch, `int64 (peaks,)`: one that is no higher than the pass that joins it to another, as
        there are many on plains, has that of the other. Then the joints of branches, the highest first, as rows of
        level, branch that goes on and branch that ends.
    """
    joined, plain = list(range(len(heights))), list(range(len(heights)))
    levels: list[int] = heights.tolist()
    joints = []
    for level, first, second in passes.tolist():
        ours, other = _root(joined, first), _root(joined, second)
        if ours == other:
            continue
        if levels[ours] < levels[other]:
            ours, other = other, ours
        joined[other] = ours
        if levels[other] == level:
            plain[other] = ours
        else:
            joints.append((level, ours, other))
    roots = np.array([_root(plain, peak) for peak in range(len(plain))], np.int64)
    branches = np.unique(roots, return_inverse=True)[1]
    table = np.array(joints, np.int64).reshape(-1, 3)
    table[:, 1:] = branches[table[:, 1:]]
    return branches, table


def _root(links: list[int], peak: int) -> int:
    while links[peak] != peak:
        links[peak] = peak = links[links[peak]]
    return peak


def _areas(branches: Numbers, levels: Levels, count: int, low: int, high: int) -> Integers:
    """How many of these pixels reach each level from `low` below `high`, `int64 (branches, levels)`."""
    columns = high - low + 1  # the first one is for what is lower
    counts = np.zeros(count * columns, np.int64)
    for chunk in chunks(levels.shape):
        reached = np.clip(levels[chunk], low - 1, high - 1) - (low - 1)
        counts += np.bincount(branches[chunk] * np.int64(columns) + reached, minlength=count * columns)
    return _summed_from_the_end(counts.reshape(count, columns))[:, 1:]


def _unite(areas: Integers, joints: Integers, low: int) -> None:
    """Add the areas (kinds, branches, levels) of branches that end to those that go on; levels begin at `low`."""
    for level, ours, other in joints.tolist():
        if level < low:
            break
        joined = np.s_[: level - low + 1]
        areas[:, ours, joined] += areas[:, other, joined]
        areas[:, other, joined] = 0


def _kept(areas: Integers, minimum_sizes: Integers) -> Integers:
    """Areas (kinds, branches, levels) of what is large enough by the first kind, summed: (kinds, levels, sizes)."""
    sizes = areas[0]
    objects, levels = np.nonzero(sizes)
    columns = len(minimum_sizes) + 1
    # An object counts for so many of the minimum sizes, beginning with the smallest.
    cells = levels * columns + np.searchsorted(minimum_sizes, sizes[objects, levels], side="right")
    cells_count = areas.shape[2] * columns
    sums = [np.bincount(cells, kind[objects, levels], cells_count).reshape(-1, columns) for kind in areas]
    return _summed_from_the_end(np.stack(sums).astype(np.int64))[..., 1:]


def _summed_from_the_end(counts: npt.NDArray[np.int64]) -> Integers:
    return np.cumsum(counts[..., ::-1], axis=-1)[..., ::-1]
