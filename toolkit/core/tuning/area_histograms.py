"""All thresholds and minimum areas at once, from one histogram an image."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Floats, Integers, Mask
from toolkit.core.images.chunks import chunks
from toolkit.core.metrics.area import AreaMetric, PixelAccuracy
from toolkit.core.metrics.metric import AREAS, Metric
from toolkit.core.recipe.probabilities import Stored, to_levels
from toolkit.core.recipe.recipe import ClassRecipe, Recipe
from toolkit.core.tuning.grids import Grid, SummedMetric, fold_count

THRESHOLDS: Floats = (np.arange(1, 256) - 0.5) / 255
"""All 255 thresholds that differ for an 8-bit map; entry 127 is 0.5."""

UNTUNED = 127
"""The index of 0.5 in `THRESHOLDS`."""

FROM_UNTUNED: Floats = np.abs(np.arange(255) - UNTUNED).astype(np.float64)
"""How far each threshold is from 0.5."""

IMAGES_AT_ONCE = 256

Counts = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class AreasByThreshold:
    """The areas of each image at all 255 thresholds: all that a metric of areas needs from a probability map.

    `intersection` and `predicted` are `int32 (images, 255)`, `truth` and `pixels` `int64 (images,)`, all of them in
    pixels that are not ignored. `sizes`, `int32 (images, 255)`, are the predicted areas with the ignored pixels, which
    minimum areas look at, and `whole`, `int64 (images,)`, counts all pixels.
    """

    intersection: Counts
    predicted: Counts
    truth: Integers
    pixels: Integers
    sizes: Counts
    whole: Integers

    def statistics(self, part: slice | Integers, thresholds: slice = slice(None)) -> tuple[Floats, Floats]:
        """What a metric of areas measures on some images.

        Returns:
            at some of the thresholds, all by default, `float64 (n, thresholds, 4)`, and on empty masks, (n, 4).
        """
        truth, pixels = self.truth[part], self.pixels[part]
        intersection = self.intersection[part, thresholds]
        found = np.empty((*intersection.shape, AREAS))
        found[..., 0], found[..., 1] = intersection, self.predicted[part, thresholds]
        found[..., 2], found[..., 3] = truth[:, None], pixels[:, None]
        emptied = np.zeros((len(truth), AREAS))
        emptied[:, 2], emptied[:, 3] = truth, pixels
        return found, emptied


class AreasCollector:
    """Gathers the areas of one class, image by image."""

    def __init__(self, images: int) -> None:
        self._intersection, self._predicted = (np.zeros((images, 255), np.int32) for _ in range(2))
        self._truth, self._pixels, self._whole = (np.zeros(images, np.int64) for _ in range(3))
        self._sizes: Counts | None = None

    def add(self, position: int, stored: Stored, truth: Mask, valid: Mask) -> None:
        """Count one image.

        Args:
            position: its place among the images.
            stored: kept map of (height, width), `uint8` or `float16`.
            truth: `bool (height, width)`.
            valid: `bool (height, width)`, False in ignored pixels.
        """
        self._whole[position] = valid.size
        if valid.all():
            found = areas_by_threshold(stored, truth)
            sizes = found[1]
        else:
            sizes = areas_by_threshold(stored, truth)[1]
            found = areas_by_threshold(stored[valid], truth[valid])
            if self._sizes is None:  # without ignored pixels these equal the predicted areas
                self._sizes = self._predicted.copy()
        self._intersection[position], self._predicted[position], self._truth[position] = found
        self._pixels[position] = valid.sum()
        if self._sizes is not None:
            self._sizes[position] = sizes

    def areas(self) -> AreasByThreshold:
        """The areas of all images added."""
        sizes = self._predicted if self._sizes is None else self._sizes
        return AreasByThreshold(self._intersection, self._predicted, self._truth, self._pixels, sizes, self._whole)


def areas_by_threshold(stored: Stored, truth: Mask) -> tuple[Integers, Integers, int]:
    """Areas of the intersection and of the prediction of one image at all thresholds, and the area of the truth.

    One histogram counts the pixels by probability and truth; sums from its far end are the areas above each threshold.

    Args:
        stored: kept map of (height, width), `uint8` or `float16`.
        truth: `bool (height, width)`.
    """
    joint = np.zeros(512, np.int64)
    for chunk in chunks(truth.shape):
        cells = to_levels(stored[chunk]).astype(np.uint16) | truth[chunk].astype(np.uint16) << 8
        joint += np.bincount(cells.ravel(), minlength=512)
    background, foreground = (np.cumsum(counts[::-1])[::-1] for counts in (joint[:256], joint[256:]))
    return foreground[1:], (background + foreground)[1:], int(foreground[0])


def is_of_areas(metric: Metric) -> bool:
    """Whether the metric depends on areas alone."""
    return isinstance(metric, AreaMetric | PixelAccuracy)


def candidate_areas(truth: Integers, steps: int = 40) -> Integers:
    """Minimum areas worth trying, in pixels: none, and steps of equal ratio up to the median non-empty truth."""
    positive = truth[truth > 0]
    if not len(positive):
        return np.zeros(1, np.int64)
    sizes = np.geomspace(2, max(2.0, float(np.median(positive))), steps)
    return np.unique(np.concatenate([[0], np.round(sizes)])).astype(np.int64)


def area_grid(areas: AreasByThreshold, folds: Integers, metric: SummedMetric, minimum_areas: Integers) -> Grid:
    """Every threshold with every minimum area.

    An image keeps its mask for the minimum areas up to its size: it is counted once, at the largest of them, and sums
    over the minimum areas do the rest.
    """
    cells = (fold_count(folds), 255, len(minimum_areas))
    sums: Floats | None = None
    for start in range(0, len(areas.truth), IMAGES_AT_ONCE):
        part = slice(start, start + IMAGES_AT_ONCE)
        found, emptied = (metric.contributions(statistics) for statistics in areas.statistics(part))
        if sums is None:
            sums = np.zeros((found.shape[-1], *cells))
            nothing = np.zeros((cells[0], found.shape[-1]))
        largest = np.searchsorted(minimum_areas, areas.sizes[part], side="right") - 1
        fold = folds[part]
        index = np.ravel_multi_index((fold[:, None], np.arange(255)[None, :], largest), cells).ravel()
        for number, (kept, lost) in enumerate(zip(np.moveaxis(found, -1, 0), emptied.T, strict=True)):
            gained = np.bincount(index, (kept - lost[:, None]).ravel(), sums[number].size)
            sums[number] += gained.reshape(cells)
        np.add.at(nothing, fold, emptied)
    if sums is None:
        raise ValueError("there are no images")
    totals = np.cumsum(sums[..., ::-1], axis=-1)[..., ::-1]
    totals = np.moveaxis(totals, 0, -1) + nothing[:, None, None]

    def recipe(position: tuple[int, ...]) -> Recipe:
        threshold, minimum = position
        return recipe_of(ClassRecipe(float(THRESHOLDS[threshold]), minimum_area=int(minimum_areas[minimum])))

    return Grid(totals, (FROM_UNTUNED, np.arange(len(minimum_areas), dtype=np.float64)), recipe)


def recipe_of(rule: ClassRecipe) -> Recipe:
    """The recipe of a single class."""
    return Recipe((rule,))


def changed(recipe: Recipe, index: int, **fields: object) -> Recipe:
    """A recipe with some fields of the rule of one class changed."""
    rules = list(recipe.classes)
    rules[index] = replace(rules[index], **fields)  # type: ignore[arg-type] # fields are those of ClassRecipe
    return replace(recipe, classes=tuple(rules))
