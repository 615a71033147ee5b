"""The images of the page: which are chosen, and their maps at a size that the page can carry."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from toolkit.commands.reporting.measured import Material, Measured
from toolkit.commands.scoring.scores import labels_of
from toolkit.core.arrays import Mask
from toolkit.core.masks.labels import IGNORE, planes
from toolkit.core.metrics.confusion import worst_first
from toolkit.core.metrics.metric import PairMetric
from toolkit.core.metrics.scorer import ScoredImages
from toolkit.core.recipe.postprocess import masks_of
from toolkit.core.recipe.probabilities import to_levels
from toolkit.core.recipe.recipe import Recipe
from toolkit.files.data.neighbours import own_pixels
from toolkit.files.disk.json_files import finite_or_none
from toolkit.files.predictions.store import ProbabilityStore
from toolkit.report.drawing import as_rgb, resized
from toolkit.report.page.values import ClassPlanes, GalleryImage, ImageCurve, Pixels

_WORST, _MEDIAN, _BEST, _DOUBTFUL, _DIFFERING = 24, 8, 8, 8, 8
_MOST_OF_SEVERAL = 24
_LARGEST_SIDE = 640
_PIXELS = 6_000_000
"""Of all maps of all classes together; larger images are shown smaller."""


@dataclass(frozen=True, eq=False)
class Other:
    """The experiment that decides some images differently: its predictions, its recipe, and its scores by image."""

    name: str
    store: ProbabilityStore
    recipe: Recipe
    scores: Mapping[str, float]


def choose(measured: Measured, ids: Sequence[str], other: Other | None = None) -> dict[int, tuple[str, ...]]:
    """The positions of the chosen images, each with the reasons: worst, median, best, label, differs.

    Of several classes the worst images that show each are among the worst. A correctly empty image shows nothing, so it
    is not among the best. The label is in doubt where the network is sure of the opposite of it, in any class; the most
    doubtful image of each of several classes is among them.
    """
    metric = measured.scored.metrics[0]
    scores = measured.scored.per_image()[metric.label]
    order = worst_first(scores, measured.scored.wrong, metric.direction).tolist()
    classes = measured.classes_shown.shape[1]
    share = 1.0 if classes == 1 else 0.5
    found: dict[int, list[str]] = {}

    def add(positions: Sequence[int], reason: str) -> None:
        for position in positions:
            found.setdefault(position, []).append(reason)

    worst = order[: round(_WORST * share)]
    for index in range(classes) if classes > 1 else ():
        showing = [position for position in order if measured.classes_shown[position, index]]
        worst += [position for position in showing[:1] if len(worst) < _MOST_OF_SEVERAL]
    add(list(dict.fromkeys(worst)), "worst")
    half = round(_MEDIAN * share) // 2
    middle = len(order) // 2
    add([place for place in order[max(0, middle - half) : middle + half] if place not in found], "median")
    filled = [position for position in reversed(order) if measured.true_areas[position] and position not in found]
    add(filled[: round(_BEST * share)], "best")
    doubts = measured.contradicted.sum(axis=1)
    doubtful = np.argsort(-doubts, kind="stable").tolist()[: round(_DOUBTFUL * share)]
    for index in range(classes) if classes > 1 else ():
        doubtful += [int(measured.contradicted[:, index].argmax())] if len(set(doubtful)) < _DOUBTFUL else []
    add([place for place in dict.fromkeys(doubtful) if doubts[place] > 0], "label")
    if other is not None:
        untuned = measured.untuned.per_image()[metric.label]
        gaps = [(abs(untuned[at] - other.scores.get(image_id, math.nan)), at) for at, image_id in enumerate(ids)]
        differing = sorted((pair for pair in gaps if pair[0] > 0), reverse=True)
        add([at for _, at in differing[:_DIFFERING]], "differs")
    return {position: tuple(reasons) for position, reasons in found.items()}


@dataclass(frozen=True, eq=False)
class ChosenImages:
    """Reads the chosen images."""

    material: Material
    measured: Measured
    chosen: Mapping[int, tuple[str, ...]]
    curves: Mapping[tuple[int, int], ImageCurve]
    other: Other | None = None

    @property
    def classes(self) -> list[int]:
        """The numbers of the classes that are shown."""
        classes = self.material.classes
        return list(range(int(classes.activation == "softmax"), classes.count))

    def read(self) -> tuple[list[GalleryImage], bool]:
        """The images, and whether any is smaller than it is scored at.

        Raises:
            ChangedError, DataError: an image or mask is not the predicted one, or cannot be read.
        """
        ids, store = self.material.table.ids, self.material.store
        sizes = {position: store.size(ids[position]) for position in self.chosen}
        shown = {position: _fitting(size, 1.0) for position, size in sizes.items()}
        total = len(self.classes) * sum(height * width for height, width in shown.values())
        if total > _PIXELS:
            scale = math.sqrt(_PIXELS / total)
            shown = {position: _fitting(size, scale) for position, size in shown.items()}
        images = []
        with self.material.progress.task("choosing images", len(shown)) as task:
            for position in self.chosen:
                images.append(self._image(position, shown[position]))
                task.advance()
        return images, any(shown[position] != sizes[position] for position in shown)

    def _image(self, position: int, shown: tuple[int, int]) -> GalleryImage:
        material, metric = self.material, self.measured.scored.metrics[0].label
        image_id = material.table.ids[position]
        activation = material.classes.activation
        labels = labels_of(material.truth.labelled, material.store, image_id)
        stored = material.store.read(image_id)
        masks = masks_of(stored, activation, material.recipe, material.store.presence(image_id))
        truth = planes(labels, material.classes.count, activation)
        levels = to_levels(stored)
        theirs = None
        if self.other is not None:
            store = self.other.store
            theirs = masks_of(store.read(image_id), activation, self.other.recipe, store.presence(image_id))
        kept, untuned = (_class_scores(one, position) for one in (self.measured.scored, self.measured.untuned))
        picture = as_rgb(own_pixels(material.truth.labelled.images, image_id))

        def planes_of(index: int) -> ClassPlanes:
            marked = np.where(truth[..., index] == IGNORE, np.uint8(127), (truth[..., index] == 1) * np.uint8(255))
            return ClassPlanes(
                _smaller(levels[..., index], shown, cv2.INTER_AREA),
                _smaller(marked.astype(np.uint8), shown, cv2.INTER_NEAREST),
                _as_plane(masks[..., index], shown),
                self.curves.get((position, index)),
                None if theirs is None else _as_plane(theirs[..., index], shown),
                kept[index],
                untuned[index],
                int((truth[..., index] == 1).sum()),
                float(self.measured.contradicted[position, index]),
            )

        return GalleryImage(
            image_id,
            int(material.table.folds[position]),
            self.chosen[position],
            material.store.size(image_id),
            np.rint(resized(picture, shown[::-1], cv2.INTER_LINEAR)).astype(np.uint8),
            finite_or_none(float(self.measured.untuned.per_image()[metric][position])),
            finite_or_none(float(self.measured.scored.per_image()[metric][position])),
            int(self.measured.true_areas[position]),
            {index: planes_of(index) for index in self.classes},
            None if self.other is None else finite_or_none(self.other.scores.get(image_id, math.nan)),
        )


def _class_scores(scored: ScoredImages, position: int) -> list[float | None]:
    """The score of each class in one image; None where it has none."""
    metric, statistics = scored.metrics[0], scored.statistics[0][[position]]
    found = metric.pairs(statistics)[0] if isinstance(metric, PairMetric) else metric.per_class(statistics)
    return [finite_or_none(score) for score in found.tolist()]


def _fitting(size: tuple[int, int], scale: float) -> tuple[int, int]:
    """A size (height, width), scaled, with no side longer than the page can carry."""
    scale = min(scale, _LARGEST_SIDE / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _as_plane(mask: Mask, shown: tuple[int, int]) -> Pixels:
    return _smaller(mask * np.uint8(255), shown, cv2.INTER_NEAREST)


def _smaller(plane: Pixels, shown: tuple[int, int], how: int) -> Pixels:
    """The plane at the size at which it is shown; unchanged if that is its own."""
    if plane.shape == shown:
        return np.ascontiguousarray(plane)
    return np.asarray(cv2.resize(np.ascontiguousarray(plane), shown[::-1], interpolation=how), np.uint8)
