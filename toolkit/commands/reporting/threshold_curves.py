"""Exact curves: the score of every threshold with every minimum, of all out-of-fold images and of single ones."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.core.arrays import Floats, Integers
from toolkit.core.metrics.area import PixelAccuracy, PooledMetric
from toolkit.core.metrics.instance import InstanceMetric
from toolkit.core.metrics.metric import PairMetric
from toolkit.core.recipe.postprocess import above
from toolkit.core.tuning.area_histograms import (
    IMAGES_AT_ONCE,
    THRESHOLDS,
    AreasByThreshold,
    Counts,
    area_grid,
    candidate_areas,
    is_of_areas,
)
from toolkit.core.tuning.candidates import TRIED_THRESHOLDS, scale_of
from toolkit.core.tuning.empty_images import triplet_grid, triplet_values
from toolkit.core.tuning.grids import SummedMetric
from toolkit.core.tuning.object_sizes import object_size_grid
from toolkit.core.tuning.recipe_scores import Example, Examples, RecipeScores, collect_areas, of_one_class
from toolkit.core.tuning.task import RecipeTask
from toolkit.report.page.values import ClassCurve, Curves, ImageCurve, TripletCurve

_LEVELS = np.arange(256, dtype=np.uint8)
_BYTES_OF_AREAS = 1 << 28
_BYTES_PER_IMAGE = 3 * 4 * 255
_MOST_WITH_TRIPLETS = 2
"""Classes whose triplets the page carries: half a megabyte each."""
_MINIMUMS_OF_MANY = 16
_MANY = 4


@dataclass(frozen=True, eq=False)
class FoundCurves:
    """The curves of all images, and those of chosen images by position and class."""

    curves: Curves
    of_images: Mapping[tuple[int, int], ImageCurve]


def has_curves(task: RecipeTask) -> bool:
    """Whether the score of every threshold can be computed exactly without applying each to every image."""
    return task.is_by_class and (is_of_areas(task.metric) or isinstance(task.metric, InstanceMetric))


def find_curves(task: RecipeTask, names: Sequence[str], chosen: Sequence[int]) -> FoundCurves:
    """The curves of all classes that the metric scores.

    Args:
        task: the images, their folds, classes and metric; see `has_curves`.
        names: of all classes.
        chosen: positions of the images that have curves of their own.
    """
    classes: list[ClassCurve] = []
    of_images: dict[tuple[int, int], ImageCurve] = {}
    metric = SummedMetric(task.metric_of_one())
    truths = np.zeros(task.classes)
    if is_of_areas(task.metric):
        for index, areas in _areas(task):
            truths[index] = areas.truth.sum()
            classes.append(_of_areas(task, index, names[index], areas, metric))
            for position in chosen:
                of_images[position, index] = _area_curve(areas, position, metric)
    else:
        for index in task.searched:
            examples = of_one_class(task.examples, index, task.classes, task.activation)
            truths[index] = 1  # which classes are shown is a question of metrics of areas
            curve, grids = _of_objects(task, index, names[index], examples, frozenset(chosen))
            classes.append(curve)
            of_images |= {(position, index): found for position, found in grids.items()}
    counted = task.metric.counted(truths)
    classes = [_with_count(one, counts=bool(counted[one.index])) for one in classes]
    return FoundCurves(Curves(task.metric.label, task.images, classes, _together(task)), of_images)


def _together(task: RecipeTask) -> str:
    """How the score of all classes follows from those of single ones."""
    if task.activation == "softmax" or task.classes == 1:
        return "alone"
    if isinstance(task.metric, PooledMetric):
        return "mean"
    if isinstance(task.metric, PairMetric) and not isinstance(task.metric, PixelAccuracy):
        return "sums"
    return "alone"


def _with_count(curve: ClassCurve, *, counts: bool) -> ClassCurve:
    return ClassCurve(**(vars(curve) | {"counts": counts}))


def _areas(task: RecipeTask) -> Iterator[tuple[int, AreasByThreshold]]:
    """The areas of each class, a few classes in a pass to bound memory."""
    at_once = max(1, _BYTES_OF_AREAS // (_BYTES_PER_IMAGE * task.images))
    for start in range(0, len(task.searched), at_once):
        part = task.searched[start : start + at_once]
        yield from zip(
            part, collect_areas(task.examples, task.images, task.classes, task.activation, part), strict=True
        )


def _of_areas(task: RecipeTask, index: int, name: str, areas: AreasByThreshold, metric: SummedMetric) -> ClassCurve:
    steps = 40 if len(task.searched) <= _MANY else _MINIMUMS_OF_MANY
    minimums = candidate_areas(areas.truth, steps)
    totals = area_grid(areas, task.folds, metric, minimums).totals.sum(axis=0)
    with_triplet = len(task.searched) <= _MOST_WITH_TRIPLETS and task.activation == "sigmoid"
    return ClassCurve(
        index,
        name,
        THRESHOLDS,
        _lowest_levels(THRESHOLDS),
        "minimum_area",
        minimums,
        totals,
        metric.score(totals),
        _empty(areas.sizes, minimums),
        triplet=_triplets(task, areas, metric) if with_triplet else None,
    )


def _empty(sizes: Counts, minimums: Integers) -> Integers:
    """Images without a mask, `int64 (thresholds, minimums)`, from the areas of masks, (images, thresholds)."""
    least = np.maximum(minimums, 1)
    ordered = np.sort(sizes, axis=0)
    return np.stack([np.searchsorted(column, least) for column in ordered.T]).astype(np.int64)


def _triplets(task: RecipeTask, areas: AreasByThreshold, metric: SummedMetric) -> TripletCurve:
    bottoms, least, tops = triplet_values(areas)
    totals = triplet_grid(areas, task.folds, metric).totals.sum(axis=0)
    kept = np.zeros((len(bottoms), len(least) * len(tops)), np.int64)
    for start in range(0, task.images, IMAGES_AT_ONCE):
        sizes = areas.sizes[start : start + IMAGES_AT_ONCE]
        passed = (sizes[:, None, tops] >= least[:, None]).reshape(len(sizes), -1)
        kept += ((sizes[:, bottoms] > 0).T.astype(np.float64) @ passed.astype(np.float64)).astype(np.int64)
    empty = task.images - kept.reshape(len(bottoms), len(least), len(tops))
    return TripletCurve(THRESHOLDS[bottoms], least, THRESHOLDS[tops], totals, metric.score(totals), empty)


def _area_curve(areas: AreasByThreshold, position: int, metric: SummedMetric) -> ImageCurve:
    found, emptied = (metric.score(metric.contributions(each)) for each in areas.statistics(np.array([position])))
    return ImageCurve(found[0], areas.sizes[position].astype(np.int64), _number(emptied[0]))


def _of_objects(
    task: RecipeTask, index: int, name: str, examples: Examples, chosen: frozenset[int]
) -> tuple[ClassCurve, dict[int, ImageCurve]]:
    """The curve of a metric of objects: thresholds with minimum object sizes, and the same of each chosen image."""
    scale = scale_of(examples, has_presence=False)
    sizes = np.array([0, *scale.object_sizes], np.int64)
    metric = task.metric_of_one()
    summed = SummedMetric(metric)
    totals = np.zeros(0)
    of_images = {}
    for example in examples("curves of the score"):
        one = RecipeScores(lambda _, only=example: [_alone(only)], 1, metric, "sigmoid")  # type: ignore[misc]
        found = object_size_grid(one, np.zeros(1, np.int64), sizes).totals.sum(axis=0)
        totals = totals + found if totals.size else found
        if example.position in chosen:
            of_images[example.position] = ImageCurve(summed.score(found), None, None)
    thresholds = np.array(TRIED_THRESHOLDS)
    curve = ClassCurve(
        index,
        name,
        thresholds,
        _lowest_levels(thresholds),
        "minimum_object_size",
        sizes,
        totals,
        summed.score(totals),
        None,
    )
    return curve, of_images


def _alone(example: Example) -> Example:
    return Example(0, example.stored, example.labels, example.objects, example.presence)


def _lowest_levels(thresholds: Floats) -> Integers:
    """For each threshold the lowest level above it."""
    return np.array([256 - np.count_nonzero(above(_LEVELS, float(one))) for one in thresholds], np.int64)


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
