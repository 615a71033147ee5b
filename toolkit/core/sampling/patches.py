"""Patches for training: windows drawn at random, a given share of them with foreground."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Floats, Integers, Labels, Size
from toolkit.core.images.windows import Window, centred_start
from toolkit.core.masks.labels import IGNORE, Activation, label_count, planes
from toolkit.core.randomness import generator
from toolkit.core.sampling.systematic import systematic_sample

_CELLS_A_WINDOW = 8
_BYTES_A_GROUP = 1 << 27
_FEWEST_IMAGES_A_GROUP = 8


@dataclass(frozen=True)
class LabelCounts:
    """Pixels of each label in the cells of a grid over an image; `counts` is `int64 (rows, columns, 256)`."""

    counts: Integers
    classes: int
    activation: Activation

    @property
    def pixels(self) -> Integers:
        """Pixels of each class, `int64 (rows, columns, classes)`."""
        every = np.arange(label_count(self.classes, self.activation), dtype=np.uint8)
        pixels: Integers = self.counts[..., : len(every)] @ planes(every, self.classes, self.activation).astype(
            np.int64
        )
        return pixels

    @property
    def foreground(self) -> Integers:
        """Pixels that are neither background nor ignored, `int64 (rows, columns)`."""
        foreground: Integers = self.counts[..., 1:IGNORE].sum(axis=-1)
        return foreground

    @property
    def coverage(self) -> Floats:
        """Share of foreground among pixels that are not ignored, `float64 (rows, columns)`, 0–1."""
        coverage: Floats = self.foreground / np.maximum(1, self.counts[..., :IGNORE].sum(axis=-1))
        return coverage


def count_labels(band: Labels, columns: Sequence[int]) -> Integers:
    """Count the pixels of each label in the cells of a band `uint8 (height, width)`.

    Args:
        band: labels of some rows of an image.
        columns: edges of the cells, from 0 to the width.

    Returns:
        `int64 (cells, 256)`.
    """
    first = np.repeat(np.arange(len(columns) - 1) * 256, np.diff(columns))  # the counter of label 0 in each cell
    counts = np.bincount((first + band).ravel(), minlength=256 * (len(columns) - 1))
    return counts.reshape(-1, 256)


def cell_of(windows: Sequence[Size]) -> int:
    """Side of the cells in which foreground is recorded: an eighth of the shortest side of all windows."""
    return max(1, min(side for window in windows for side in window) // _CELLS_A_WINDOW)


def edges_of(length: int, cell: int) -> list[int]:
    """Edges of the cells along a side; the last cell may be smaller."""
    return [*range(0, length, cell), length]


@dataclass(frozen=True)
class Occupancy:
    """The cells of an image that contain foreground.

    Attributes:
        size: (height, width) of the image.
        cell: side of a cell in pixels; cells at the lower and right edges may be smaller.
        classes: `bool (rows, columns, classes)`: classes in each cell, without the background of exclusive classes.
        foreground: `bool (rows, columns)`: whether a cell has any foreground.
    """

    size: Size
    cell: int
    classes: npt.NDArray[np.bool_]
    foreground: npt.NDArray[np.bool_]

    @cached_property
    def present(self) -> Integers:
        """The indices of the classes in the image."""
        return np.flatnonzero(self.classes.any(axis=(0, 1)))


@dataclass(frozen=True)
class HardPlaces:
    """False positives of a network, from which patches without foreground are drawn more often.

    Attributes:
        false_pixels: false positives in the cells of each image, `int64 (rows, columns)`.
        hardness: the window with most false positives is drawn 1 + `hardness` times as often as one without any.
    """

    false_pixels: Sequence[Integers]
    hardness: float

    def of(self, positions: Integers) -> "HardPlaces":
        """The places in the images at these positions, in this order."""
        return HardPlaces([self.false_pixels[place] for place in positions], self.hardness)


@dataclass(frozen=True)
class PatchRule:
    """The patches of an epoch.

    Attributes:
        window: (height, width) of a patch in the image.
        count: number of patches.
        share: share of patches with foreground, the others having none; None for patches anywhere.
        groups: `bool (images, groups)`: patches with foreground are drawn equally often from all groups that have
            images; None to treat all images with foreground alike.
        by_class: the groups are the classes, and patches are drawn around a pixel of the group's class.
        hard: false positives, near which patches without foreground are drawn more often.
        shares: relative frequency of each image, `float64 (images,)`, at least 0; None for equal frequencies.
    """

    window: Size
    count: int
    share: float | None
    groups: npt.NDArray[np.bool_] | None = None
    by_class: bool = False
    hard: HardPlaces | None = None
    shares: Floats | None = None


def draw_patches(images: Sequence[Occupancy], rule: PatchRule, *draw: int) -> list[tuple[int, Window]]:
    """Draw patches: the position of an image and a window in it, for each; patches with foreground come first.

    Images are drawn equally often, within one. An image smaller than the window is centred in it. If no image has
    foreground, all patches are without; if every window of every image has foreground, all patches are with.

    Args:
        images: occupancy of each image, in cells no larger than the window.
        rule: the patches to draw.
        draw: numbers that the random draw derives from, for example (seed, fold, stage, epoch).
    """
    random = generator("patches", *draw)
    if rule.share is None:
        places = _in_turn(np.arange(len(images)), rule.count, random, rule.shares)
        return [(place, _anywhere(images[place].size, rule.window, random)) for place in places]
    empties = {} if rule.share == 1 else _empty_places(images, rule)
    has_foreground = np.array([image.foreground.any() for image in images])
    if rule.shares is not None:
        has_foreground &= rule.shares > 0
    positives = round(rule.count * rule.share) if has_foreground.any() else 0
    if not empties:
        positives = rule.count if has_foreground.any() else 0
    drawn = list(_positives(images, rule, positives, has_foreground, random))
    return drawn + list(_negatives(empties, rule.count - positives if empties else 0, rule, random))


def random_windows(sizes: Sequence[Size], window: Size, *draw: int) -> list[Window]:
    """A window anywhere in each image of (height, width); an image smaller than the window is centred in it.

    `draw` has the numbers that the random draw derives from.
    """
    random = generator("windows", *draw)
    return [_anywhere(size, window, random) for size in sizes]


def group_images(sizes: Sequence[int], *draw: int) -> Integers:
    """Divide images into random groups that fit in memory while their patches are read.

    A file that must be decoded whole is then decoded once for its group, not for each patch. A group has at least eight
    images, so that its batches are mixed.

    Args:
        sizes: bytes of each decoded image.
        draw: numbers that the random draw derives from.

    Returns:
        The group of each image, `int64 (images,)`, from 0.
    """
    groups = np.zeros(len(sizes), np.int64)
    group = count = size = 0
    for place in generator("groups", *draw).permutation(len(sizes)):
        if count >= _FEWEST_IMAGES_A_GROUP and size + sizes[place] > _BYTES_A_GROUP:
            group, count, size = group + 1, 0, 0
        groups[place] = group
        count, size = count + 1, size + sizes[place]
    return groups


def _positives(
    images: Sequence[Occupancy],
    rule: PatchRule,
    count: int,
    has_foreground: npt.NDArray[np.bool_],
    random: np.random.Generator,
) -> Iterator[tuple[int, Window]]:
    groups = has_foreground[:, None] if rule.groups is None else rule.groups & has_foreground[:, None]
    filled = np.flatnonzero(groups.any(axis=0))
    for group, times in zip(*np.unique(_in_turn(filled, count, random), return_counts=True), strict=True):
        for place in _in_turn(np.flatnonzero(groups[:, group]), times, random, rule.shares):
            image = images[place]
            label = group if rule.by_class else random.choice(image.present)
            rows, columns = np.nonzero(image.classes[..., label])
            chosen = random.integers(len(rows))
            yield int(place), _around(image, int(rows[chosen]), int(columns[chosen]), rule.window, random)


def _around(image: Occupancy, row: int, column: int, window: Size, random: np.random.Generator) -> Window:
    """A random window among those that contain a whole cell."""
    starts = []
    for length, side, place in zip(image.size, window, (row, column), strict=True):
        low, high = place * image.cell, min(length, (place + 1) * image.cell)
        if length <= side:
            starts.append(centred_start(length, side))
        else:
            starts.append(int(random.integers(max(0, high - side), min(low, length - side) + 1)))
    return Window(starts[0], starts[1], *window)


def _anywhere(size: Size, window: Size, random: np.random.Generator) -> Window:
    starts = [
        centred_start(length, side) if length <= side else int(random.integers(length - side + 1))
        for length, side in zip(size, window, strict=True)
    ]
    return Window(starts[0], starts[1], *window)


@dataclass(frozen=True)
class _Empties:
    """The windows of an image without foreground that start at a cell: their first pixels and weights."""

    image: Occupancy
    window: Size
    starts: Integers
    weights: Floats
    sums: Integers

    @cached_property
    def summed_weights(self) -> Floats:
        """Cumulative weights."""
        return self.weights.cumsum()

    def draw(self, random: np.random.Generator) -> Window:
        """Draw a window, shifted by less than a cell if it stays without foreground."""
        chosen = np.searchsorted(self.summed_weights, random.random() * self.summed_weights[-1], side="right")
        top, left = self.starts[chosen].tolist()
        moved = [
            min(start + int(random.integers(self.image.cell)), max(start, length - side))
            for start, length, side in zip((top, left), self.image.size, self.window, strict=True)
        ]
        row, column = (np.array([start]) for start in moved)
        if _sums_under(self.sums, self.image, row, column, self.window)[0, 0] == 0:
            top, left = moved
        return Window(top, left, *self.window)


def _empty_places(images: Sequence[Occupancy], rule: PatchRule) -> dict[int, _Empties]:
    """Windows without foreground by the position of the image, for images that have any."""
    found: dict[int, _Empties] = {}
    for place, image in enumerate(images):
        tops, lefts = (_lattice(length, side, image.cell) for length, side in zip(image.size, rule.window, strict=True))
        if rule.shares is not None and not rule.shares[place]:
            continue
        sums = _integral(image.foreground)
        rows, columns = np.nonzero(_sums_under(sums, image, tops, lefts, rule.window) == 0)
        if not len(rows):
            continue
        weights = np.zeros(len(rows))
        if rule.hard is not None:
            false = _sums_under(_integral(rule.hard.false_pixels[place]), image, tops, lefts, rule.window)
            weights = false[rows, columns].astype(np.float64)
        found[place] = _Empties(image, rule.window, np.stack([tops[rows], lefts[columns]], axis=1), weights, sums)
    hardness = 0.0 if rule.hard is None else rule.hard.hardness
    most = max([1.0, *(float(empties.weights.max()) for empties in found.values())])
    for empties in found.values():
        np.add(1.0, empties.weights * (hardness / most), out=empties.weights)
    return found


def _negatives(
    empties: dict[int, _Empties], count: int, rule: PatchRule, random: np.random.Generator
) -> Iterator[tuple[int, Window]]:
    places = np.array([*empties], np.int64)
    if rule.hard is None:
        drawn = _in_turn(places, count, random, rule.shares)
    else:
        means = np.zeros(places.max(initial=0) + 1)
        means[places] = [empties[place].weights.mean() for place in places]
        drawn = _in_turn(places, count, random, means if rule.shares is None else means * rule.shares[: len(means)])
    for place in drawn.tolist():
        yield place, empties[place].draw(random)


def _in_turn(members: Integers, count: int, random: np.random.Generator, shares: Floats | None = None) -> Integers:
    """Draw `count` members, each equally often within one, or in proportion to `shares`, indexed by member."""
    if not len(members):
        return members
    if shares is not None:
        return systematic_sample(members, count, shares, random)
    repeats, rest = divmod(count, len(members))
    return np.concatenate([np.tile(members, repeats), random.permutation(members)[:rest]])


def _lattice(length: int, side: int, cell: int) -> Integers:
    """First pixels of windows along a side: the start of every cell, and the last place that fits."""
    if length <= side:
        return np.array([centred_start(length, side)])
    return np.unique([*range(0, length - side, cell), length - side])


def _integral(cells: npt.NDArray[np.bool_] | Integers) -> Integers:
    """Sums over all cells above and left of each corner of the grid, `int64 (rows + 1, columns + 1)`."""
    return np.pad(cells.astype(np.int64).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))


def _sums_under(sums: Integers, image: Occupancy, tops: Integers, lefts: Integers, window: Size) -> Integers:
    """Sums over the cells that each window touches, `int64 (tops, lefts)`, from the sums of `_integral`."""
    edges = []
    for starts, length, side in zip((tops, lefts), image.size, window, strict=True):
        first = np.maximum(starts, 0) // image.cell
        edges.append((first, -(-np.minimum(starts + side, length) // image.cell)))
    (top, bottom), (left, right) = edges
    upper, lower = (sums[np.ix_(rows, right)] - sums[np.ix_(rows, left)] for rows in (top, bottom))
    under: Integers = lower - upper
    return under
