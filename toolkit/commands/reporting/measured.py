"""One pass over the out-of-fold predictions: what the page shows of all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from toolkit.commands.comparing.image_measurements import Measurements
from toolkit.commands.scoring.out_of_fold import OutOfFold
from toolkit.core.arrays import Floats, Integers, Mask
from toolkit.core.masks.labels import IGNORE, Classes, planes
from toolkit.core.masks.objects import components
from toolkit.core.metrics.registry import MetricSpec, build_metrics
from toolkit.core.metrics.scorer import ScoredImages, Scorer
from toolkit.core.recipe.probabilities import to_levels
from toolkit.core.recipe.recipe import Recipe
from toolkit.core.tuning.task import RecipeTask
from toolkit.files.datasets.truth import Truth
from toolkit.files.disk.json_files import finite_or_none
from toolkit.files.experiment.folds_csv import FoldTable
from toolkit.files.predictions.store import ProbabilityStore
from toolkit.messages import Progress
from toolkit.report.page.values import Calibration, ClassFound, KeptScores

_TENTHS = 10
_SHARES = (0.0, 0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0)
_SURE = 230
"""The level from which on the network is sure of a class: a probability of 0.9."""
_LARGEST_OBJECTS = 1 << 22
"""Pixels of an image up to which its objects are counted."""


@dataclass(frozen=True, eq=False)
class Material:
    """The out-of-fold predictions of an experiment with their truth: everything that a page is computed from."""

    truth: Truth
    table: FoldTable
    store: ProbabilityStore
    recipe: Recipe
    recipe_source: str
    further: Sequence[MetricSpec]
    progress: Progress

    @property
    def classes(self) -> Classes:
        """The classes."""
        return self.truth.classes

    def task(self) -> RecipeTask:
        """The images as the search for recipes sees them, with the metric that searches use."""
        searched, _ = self.truth.for_searches({})
        metric = searched.build_metric({})
        examples = OutOfFold(
            self.store, self.truth.labelled, with_objects=metric.needs_objects, progress=self.progress
        ).examples
        return RecipeTask(
            examples,
            np.unique(self.table.folds, return_inverse=True)[1],
            self.classes.count,
            self.classes.activation,
            metric,
            in_bytes=self.store.stored_type == "uint8",
            has_presence=self.store.presence(self.store.ids[0]) is not None,
        )


@dataclass(frozen=True, eq=False)
class Measured:
    """What one pass found; images are in the order of their sorted ids.

    Attributes:
        evaluation: as `tk evaluate` finds it with the recipe, as plain data.
        kept: the scores with the recipe.
        scored: the images with the recipe.
        untuned: the images without it.
        folds_by_class: the untuned score of each class in each fold.
        true_areas: of the foreground, `int64 (images,)`.
        classes_shown: which classes the truth of an image shows, `bool (images, classes)`.
        calibration: of each foreground class.
        contradicted: share of the pixels of each image where the network is sure of the opposite of the label of each
            class, `float64 (images, classes)`.
        shares: how many images have which share of foreground.
        sizes: how many objects have which size.
        classes: of several classes, how large and how frequent each is.
    """

    evaluation: Mapping[str, Any]
    kept: KeptScores
    scored: ScoredImages
    untuned: ScoredImages
    folds_by_class: Sequence[Mapping[str, float | None]]
    true_areas: Integers
    classes_shown: Integers
    calibration: Sequence[Calibration]
    contradicted: Floats
    shares: Sequence[tuple[str, int]]
    sizes: Sequence[tuple[str, int]]
    classes: Sequence[ClassFound]


def measure(material: Material, name: str) -> Measured:
    """Measure all out-of-fold images with the recipe and without it.

    Raises:
        ChangedError, DataError: images or masks are not the predicted ones, or cannot be read.
    """
    classes, truth = material.classes, material.truth
    searched, _ = truth.for_searches({})
    built = build_metrics(
        [searched.metric, *material.further],
        classes.count,
        classes.activation,
        names=classes.names,
        rules=truth.rules,
    )
    kept = Measurements(classes, material.recipe, Scorer(built, classes.activation, material.recipe))
    untuned = Scorer(built[:1], classes.activation)
    pass_ = _Pass(classes)
    source = OutOfFold(material.store, truth.labelled, with_objects=kept.needs_objects, progress=material.progress)
    with material.progress.task("measuring for the page", len(material.table.ids)) as task:
        for image_id in material.table.ids:
            example = source.example(image_id)
            case = kept.add(image_id, example.stored, example.labels, example.objects, example.presence)
            untuned.add(example.stored, example.labels, example.objects, example.presence, image_id=image_id)
            pass_.add(example.stored, example.labels, case.whole_prediction)
            task.advance()
    folds = material.table.folds
    evaluation = asdict(kept.evaluation(name, 0, material.recipe_source, folds.tolist()))
    scored, plain = kept.scored(), untuned.scored()
    label = scored.metrics[0].label
    return Measured(
        evaluation,
        KeptScores(evaluation["score"], _by_class(scored, classes, label), pass_.empty),
        scored,
        plain,
        _folds_by_class(plain, folds, classes, label),
        kept.true_areas,
        np.array(pass_.shown),
        pass_.calibration(),
        np.array(pass_.contradicted),
        _share_bins(np.array(pass_.shares)),
        _size_bins(pass_.sizes),
        pass_.classes(),
    )


def _by_class(scored: ScoredImages, classes: Classes, label: str) -> dict[str, float | None]:
    found = scored.per_class()[label]
    return {name: finite_or_none(float(score)) for name, score in zip(classes.names, found, strict=True)}


def _folds_by_class(
    scored: ScoredImages, folds: Integers, classes: Classes, label: str
) -> list[dict[str, float | None]]:
    """The score of each class in each fold; nothing for a single class, or where the metric has no such scores."""
    if classes.count == 1 or not scored.metrics[0].tells_classes_apart:
        return []
    places = [np.flatnonzero(folds == fold) for fold in range(int(folds.max()) + 1)]
    return [_by_class(scored.of(found), classes, label) if len(found) else {} for found in places]


class _Pass:
    """Gathers what is counted image by image."""

    def __init__(self, classes: Classes) -> None:
        self._classes = classes
        self._first = int(classes.activation == "softmax")
        self._pixels = np.zeros((classes.count, _TENTHS), np.int64)
        self._true = np.zeros((classes.count, _TENTHS), np.int64)
        self._tenths = np.minimum(np.arange(256) * _TENTHS // 255, _TENTHS - 1)
        self.empty: dict[int, int] = dict.fromkeys(range(self._first, classes.count), 0)
        self.shown: list[Any] = []
        self.shares: list[float] = []
        self.contradicted: list[list[float]] = []
        self.sizes: list[int] = []
        self._several = classes.count - self._first > 1
        self._areas: list[Integers] = []
        self._parts: list[list[int]] = [[] for _ in range(classes.count)]

    def add(self, stored: Any, labels: Any, masks: Any) -> None:
        """Count an image: its kept map, its labels, and its masks with ignored pixels."""
        truth = planes(labels, self._classes.count, self._classes.activation)
        valid = labels != IGNORE
        levels = to_levels(stored)
        count = max(1, int(valid.sum()))
        contradicted = [0.0] * self._classes.count
        for index in range(self._first, self._classes.count):
            is_true = truth[..., index] == 1
            against = np.where(is_true, levels[..., index] < 256 - _SURE, levels[..., index] >= _SURE)
            contradicted[index] = float((against & valid).sum() / count)
            joint = np.bincount((levels[..., index].astype(np.int64) + 256 * is_true)[valid], minlength=512)
            for row, counts in ((self._pixels, joint[:256] + joint[256:]), (self._true, joint[256:])):
                row[index] += np.bincount(self._tenths, counts, _TENTHS).astype(np.int64)
            self.empty[index] += int(not masks[..., index].any())
        self.contradicted.append(contradicted)
        areas = np.array([(truth[..., index] == 1).sum() for index in range(self._classes.count)], np.int64)
        self._areas.append(np.append(areas, valid.sum()))
        self.shown.append((areas > 0).tolist())
        foreground = (truth[..., self._first :] == 1).any(axis=-1)
        self.shares.append(float(foreground.sum() / count))
        if labels.size > _LARGEST_OBJECTS:
            return
        if not self._several:
            self.sizes += _sizes_of(foreground)
            return
        for index in np.flatnonzero(areas).tolist():
            self._parts[index] += _sizes_of(truth[..., index] == 1)

    def calibration(self) -> list[Calibration]:
        return [
            Calibration(self._classes.names[index], self._pixels[index], self._true[index])
            for index in range(self._first, self._classes.count)
        ]

    def classes(self) -> list[ClassFound]:
        """How large and how frequent each of several classes is; nothing for a single one."""
        if not self._several:
            return []
        areas, names = np.array(self._areas), self._classes.names
        total = max(1, int(areas[:, -1].sum()))
        return [
            ClassFound(
                name,
                float(areas[:, index].sum() / total),
                int((areas[:, index] > 0).sum()),
                len(self._parts[index]),
                int(np.median(self._parts[index])) if self._parts[index] else None,
            )
            for index, name in enumerate(names)
        ]


def _sizes_of(mask: Mask) -> list[int]:
    """The pixels of each connected part of a mask."""
    found: list[int] = np.bincount(components(mask).ravel())[1:].tolist()
    return found


def _share_bins(shares: Floats) -> list[tuple[str, int]]:
    """Images by the share of their foreground."""
    found = [("none", int((shares == 0).sum()))]
    for low, high in pairwise(_SHARES):
        inside = (shares > low) & (shares <= high)
        found.append((f"{100 * low:g} – {100 * high:g} %", int(inside.sum())))
    return found


def _size_bins(sizes: Sequence[int]) -> list[tuple[str, int]]:
    """Objects by their size, in powers of four."""
    if not sizes:
        return []
    powers = np.floor(np.log2(sizes) / 2).astype(int)
    counts = np.bincount(powers)
    return [(f"{4**power:,} – {4 ** (power + 1) - 1:,}", int(count)) for power, count in enumerate(counts)]
