"""How good blends with given weights are: many candidates at once, image by image, in bounded memory."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Floats, Integers, Labels, Objects, Planes
from toolkit.core.ensembling.means import Blender, Values, round_levels
from toolkit.core.masks.labels import IGNORE, planes
from toolkit.core.metrics.area import AreaMetric, PixelAccuracy, PooledMetric
from toolkit.core.metrics.metric import AREAS, Metric, case_of
from toolkit.core.recipe.postprocess import masks_of
from toolkit.core.recipe.probabilities import Stored, quantise, to_levels

MemberWeights = tuple[int, ...]
"""Of each member, in whole numbers: only their ratios matter."""

Folds = npt.NDArray[np.bool_]
"""Which folds are looked at, `bool (folds,)`."""

UNTUNED = 127
"""The position of the threshold 0.5 among the 255 that levels can tell apart: (position + 0.5) / 255."""

_PIXELS_AT_ONCE = 1 << 18


@dataclass(frozen=True)
class Choice:
    """The best score of a candidate and the thresholds that reach it, a position for each class.

    Without thresholds it is the score of the untuned recipe.
    """

    score: float
    thresholds: tuple[int, ...] | None = None


class Weighed(Protocol):
    """What is known of one candidate."""

    def best(self, folds: Folds) -> Choice:
        """The best score over the images of these folds, one of `parts`."""

    def untuned(self) -> float:
        """The score over all images at the untuned recipe."""


class Weighing(Protocol):
    """Measures candidates on one image after the other."""

    def add(self, fold: int, maps: Sequence[Stored], labels: Labels, objects: Objects | None) -> None:
        """Take the maps of all members of one image, each (height, width, classes), with its truth."""

    def finish(self) -> dict[MemberWeights, Weighed]:
        """What was found, when all images are added."""


def parts(folds: int) -> list[Folds]:
    """What a search looks at of so many folds: all, and all but each one."""
    return [np.ones(folds, np.bool_), *(np.arange(folds) != fold for fold in range(folds))]


def has_thresholds(metric: Metric, blender: Blender) -> bool:
    """Whether all thresholds can be scored at once: the metric is one of areas, the classes are independent."""
    return isinstance(metric, AreaMetric | PixelAccuracy) and blender.activation == "sigmoid"


def weigh(metric: Metric, blender: Blender, folds: int, candidates: Sequence[MemberWeights]) -> Weighing:
    """Begin to measure candidates; `folds` is the count of folds.

    Where it can be, each candidate is judged at the best threshold of each class: a blend is less sure than its
    members, and the threshold is tuned afterwards anyway. Otherwise it is judged at the untuned recipe.
    """
    if isinstance(metric, AreaMetric | PixelAccuracy) and has_thresholds(metric, blender):
        return AreaWeighing(metric, blender, folds, candidates)
    return JudgedWeighing(metric, blender, folds, candidates)


def predicted(
    blender: Blender, maps: Sequence[Stored], weights: Sequence[float], thresholds: Sequence[int] | None
) -> Planes:
    """The masks of a blend, `bool (height, width, classes)`, at thresholds by position or at the untuned recipe."""
    levels = quantise(blender.blend(dict(enumerate(maps)), weights, "uint8"))
    if thresholds is None:
        return masks_of(levels, blender.activation)
    above: Planes = levels > np.asarray(thresholds)
    return above


class AreaWeighing:
    """For metrics of areas of independent classes: all 255 thresholds of every candidate, from histograms.

    Only sums over the images of each fold are kept. Pixels that are alike in all members are counted once for all
    candidates.
    """

    def __init__(
        self, metric: AreaMetric | PixelAccuracy, blender: Blender, folds: int, candidates: Sequence[MemberWeights]
    ) -> None:
        pooled = isinstance(metric, PooledMetric | PixelAccuracy)
        make: Callable[..., _Tally] = _PooledTally if pooled else _PairTally
        self._tallies = {weights: make(metric, folds) for weights in candidates}
        self._classes = metric.classes
        self._blenders = [_of_class(blender, index) for index in range(metric.classes)]
        self._waiting: list[tuple[int, list[npt.NDArray[np.uint8]], npt.NDArray[np.uint8]]] = []
        self._pixels = 0

    def add(self, fold: int, maps: Sequence[Stored], labels: Labels, objects: Objects | None) -> None:
        """See `Weighing`."""
        truth = planes(labels, self._classes, "sigmoid")
        self._waiting.append((fold, [to_levels(stored) for stored in maps], truth))
        self._pixels += labels.size
        if self._pixels >= _PIXELS_AT_ONCE:
            self._flush()

    def finish(self) -> dict[MemberWeights, Weighed]:
        """See `Weighing`."""
        self._flush()
        return dict(self._tallies)

    def _flush(self) -> None:
        """Measure the images that wait."""
        folds = np.array([fold for fold, _, _ in self._waiting], np.int64)
        for index in range(self._classes if self._waiting else 0):
            histograms = _histograms(self._blenders[index], self._pixels_of(index), len(folds), list(self._tallies))
            for weights, counts in histograms.items():
                self._tallies[weights].add(index, folds, _areas(counts))
        self._waiting, self._pixels = [], 0

    def _pixels_of(self, index: int) -> tuple[npt.NDArray[np.uint8], Integers]:
        """The levels of one class in all members, (members, pixels), and 2·image + truth of each pixel, (pixels,)."""
        levels, groups = [], []
        for number, (_, maps, truth) in enumerate(self._waiting):
            plane = truth[..., index]
            valid = plane != IGNORE
            chosen = slice(None) if valid.all() else valid  # all pixels, without the work of choosing them
            groups.append((plane[chosen] + np.int64(2 * number)).ravel())
            levels.append(np.stack([stored[..., index][chosen].ravel() for stored in maps]))
        return np.concatenate(levels, axis=1), np.concatenate(groups)


def _of_class(blender: Blender, index: int) -> Blender:
    counts = None if blender.counts is None else blender.counts[:, index : index + 1]
    return Blender(blender.mean, blender.activation, counts)


def _histograms(
    blender: Blender,
    pixels: tuple[npt.NDArray[np.uint8], Integers],
    images: int,
    candidates: Sequence[MemberWeights],
) -> dict[MemberWeights, Integers]:
    """Pixels by image, truth and level of the blend, `int64 (images, 2, 256)` for each candidate."""
    tables = [blender.table(member, 1)[0] for member in range(len(pixels[0]))]
    count = images * 2 * 256
    found = {weights: np.zeros(count, np.int64) for weights in candidates}
    for start in range(0, len(pixels[1]), _PIXELS_AT_ONCE):
        levels, groups = (array[..., start : start + _PIXELS_AT_ONCE] for array in pixels)
        cells = groups * 256
        common = np.zeros(count, np.int64)
        if blender.mean != "rank":  # there alike levels have different ranks
            alike = (levels == levels[0]).all(axis=0)
            level = round_levels(blender.levels(tables[0][:, None], ())[:, 0])
            common += np.bincount(cells[alike] + level[levels[0, alike]], minlength=count)
            levels, cells = levels[:, ~alike], cells[~alike]
        values = [table[plane] for table, plane in zip(tables, levels, strict=True)]
        for weights in candidates:
            blended = _round(blender.levels(mean_of_values(values, weights)[:, None], weights)[:, 0])
            found[weights] += common + np.bincount(cells + blended, minlength=count)
    return {weights: counts.reshape(images, 2, 256) for weights, counts in found.items()}


def _round(levels: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
    """As `round_levels`, but faster: for levels from 0 to 255."""
    return (levels + np.float32(0.4995)).astype(np.uint8)


def mean_of_values(values: Sequence[Values], weights: MemberWeights) -> Values:
    """The mean of `float32` arrays of one shape.

    Sums of levels in whole weights are exact in single precision: ties are rounded alike, whatever the order. Here a
    matrix product would be no faster, and many times slower where its threads have to share the processor.
    """
    weighted = [np.float32(weight) * value for value, weight in zip(values, weights, strict=True) if weight]
    total = weighted[0]
    for summand in weighted[1:]:
        total += summand
    total /= np.float32(sum(weights))
    return total


def _areas(counts: Integers) -> Integers:
    """Areas at all thresholds, `int64 (images, 255, 4)`, of histograms (images, 2, 256)."""
    above = np.cumsum(counts[..., ::-1], axis=-1)[..., ::-1]
    areas = np.empty((len(counts), 255, AREAS), np.int64)
    areas[..., 0] = above[:, 1, 1:]
    areas[..., 1] = above[:, 0, 1:] + above[:, 1, 1:]
    areas[..., 2] = above[:, 1, :1]
    areas[..., 3] = above[:, 0, :1] + above[:, 1, :1]
    return areas


class _Tally(Protocol):
    """Sums over the images of each fold, for one candidate."""

    def add(self, index: int, folds: Integers, areas: Integers) -> None:
        """Take one class of some images: their folds and areas (images, 255, 4)."""

    def best(self, folds: Folds) -> Choice: ...

    def untuned(self) -> float: ...


class _PairTally:
    """Sums of the scores of pairs of image and class."""

    def __init__(self, metric: AreaMetric, folds: int) -> None:
        self._metric = metric
        self._sums = np.zeros((folds, metric.classes, 255))
        self._counts = np.zeros((folds, metric.classes, 255), np.int64)

    def add(self, index: int, folds: Integers, areas: Integers) -> None:
        scores = self._metric.of_areas(areas)
        counted = ~np.isnan(scores)
        for fold in np.unique(folds):
            here = folds == fold
            self._sums[fold, index] += np.where(counted[here], scores[here], 0).sum(axis=0)
            self._counts[fold, index] += counted[here].sum(axis=0)

    def best(self, folds: Folds) -> Choice:
        sums, counts = self._sums[folds].sum(axis=0), self._counts[folds].sum(axis=0)
        thresholds = _best_thresholds(np.where(counts == 0, np.nan, sums / np.maximum(counts, 1)))
        return Choice(self._at(sums, counts, thresholds), thresholds)

    def untuned(self) -> float:
        return self._at(self._sums.sum(axis=0), self._counts.sum(axis=0), (UNTUNED,) * self._metric.classes)

    def _at(self, sums: Floats, counts: Integers, thresholds: Sequence[int]) -> float:
        classes = range(len(sums)) if self._metric.chosen is None else [self._metric.chosen]
        count = sum(int(counts[index, thresholds[index]]) for index in classes)
        return sum(float(sums[index, thresholds[index]]) for index in classes) / count if count else np.nan


class _PooledTally:
    """Sums of areas."""

    def __init__(self, metric: PooledMetric | PixelAccuracy, folds: int) -> None:
        self._metric = metric
        self._areas = np.zeros((folds, metric.classes, 255, AREAS), np.int64)

    def add(self, index: int, folds: Integers, areas: Integers) -> None:
        for fold in np.unique(folds):
            self._areas[fold, index] += areas[folds == fold].sum(axis=0)

    def best(self, folds: Folds) -> Choice:
        areas = self._areas[folds].sum(axis=0)
        thresholds = _best_thresholds(self._metric.of_areas(areas))
        return Choice(self._at(areas, thresholds), thresholds)

    def untuned(self) -> float:
        return self._at(self._areas.sum(axis=0), (UNTUNED,) * self._metric.classes)

    def _at(self, areas: Integers, thresholds: Sequence[int]) -> float:
        """Areas of sets are added as those of images are: the set is scored as one large image."""
        chosen = areas[np.arange(len(areas)), np.asarray(thresholds)]
        return self._metric.score(chosen.reshape(1, -1).astype(np.float64))


def _best_thresholds(scores: Floats) -> tuple[int, ...]:
    """For each class the position of the best of its scores (classes, 255), among equals the one nearest to 0.5."""
    scores = np.where(np.isnan(scores), -1, scores)
    distance = np.abs(np.arange(255) - UNTUNED)
    equal = scores >= scores.max(axis=1, keepdims=True) - 1e-12
    return tuple(int(position) for position in np.where(equal, distance, 255).argmin(axis=1))


class JudgedWeighing:
    """For all other metrics: the masks of every candidate at the untuned recipe, measured as in scoring."""

    def __init__(self, metric: Metric, blender: Blender, folds: int, candidates: Sequence[MemberWeights]) -> None:
        self._metric = metric
        self._blender = blender
        self._folds_count = folds
        self._folds: list[int] = []
        self._found: Mapping[MemberWeights, list[Floats]] = {weights: [] for weights in candidates}

    def add(self, fold: int, maps: Sequence[Stored], labels: Labels, objects: Objects | None) -> None:
        """See `Weighing`."""
        values = [self._blender.values(member, stored) for member, stored in enumerate(maps)]
        self._folds.append(fold)
        for weights, found in self._found.items():
            levels = round_levels(self._blender.levels(mean_of_values(values, weights), weights))
            masks = masks_of(levels, self._blender.activation)
            found.append(self._metric.measure(case_of(masks, labels, self._blender.activation, objects)))

    def finish(self) -> dict[MemberWeights, Weighed]:
        """See `Weighing`."""
        return {weights: self._judged(np.stack(found)) for weights, found in self._found.items()}

    def _judged(self, statistics: Floats) -> "_Judged":
        folds = np.array(self._folds)
        scores = [self._metric.score(statistics[part[folds]]) for part in parts(self._folds_count)]
        names = [part.tobytes() for part in parts(self._folds_count)]
        return _Judged(scores[0], dict(zip(names, scores, strict=True)))


@dataclass(frozen=True)
class _Judged:
    """The scores of the `parts`: the statistics of all images and candidates would be too much to keep."""

    score: float
    of_parts: Mapping[bytes, float]

    def best(self, folds: Folds) -> Choice:
        return Choice(self.of_parts[folds.tobytes()])

    def untuned(self) -> float:
        return self.score
