"""Scoring predictions: the only path from stored probabilities and true labels to scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.core.arrays import Floats, Integers, Labels, Objects, Presence
from toolkit.core.masks.labels import Activation
from toolkit.core.metrics.measuring import Measuring
from toolkit.core.metrics.metric import Case, Metric, case_of, class_label
from toolkit.core.recipe.postprocess import IDENTITY, Step, masks_of, objects_of
from toolkit.core.recipe.probabilities import Stored, to_probability
from toolkit.core.recipe.recipe import Recipe


def recorded_scores(metrics: Sequence[Metric], statistics: Sequence[Floats], names: Sequence[str]) -> dict[str, float]:
    """The score of a set of images by metric label; of several classes each one's as well: `iou[road]`.

    Args:
        metrics: the metrics.
        statistics: of each metric, `float64 (images, k)`.
        names: of all classes.
    """
    pairs = list(zip(metrics, statistics, strict=True))
    scores = {metric.label: metric.score(found) for metric, found in pairs}
    of_one_class = {class_label(metric.label, name) for metric in metrics for name in names}
    for metric, found in pairs if len(names) > 1 else ():
        if metric.tells_classes_apart and metric.label not in of_one_class:
            by_class = zip(names, metric.per_class(found).tolist(), strict=True)
            scores |= {class_label(metric.label, name): score for name, score in by_class}
    return scores


@dataclass(frozen=True, eq=False)
class ScoredImages:
    """A set of images and the statistics from which several metrics compute its scores.

    Attributes:
        metrics: the metrics, the primary one first.
        statistics: for each metric `float64 (images, k)`, see `Metric.measure`.
        wrong: number of pixels that are wrong in any class, `int64 (images,)`.
    """

    metrics: tuple[Metric, ...]
    statistics: tuple[Floats, ...]
    wrong: Integers

    def of(self, positions: Integers) -> "ScoredImages":
        """The images at these positions, in this order."""
        statistics = tuple(found[positions] for found in self.statistics)
        return ScoredImages(self.metrics, statistics, self.wrong[positions])

    def scores(self) -> dict[str, float]:
        """The score of all images together by metric label, the primary metric first; NaN where no image counts."""
        return {metric.label: metric.score(found) for metric, found in self._pairs()}

    def per_image(self) -> dict[str, Floats]:
        """The score of each image, `float64 (images,)` by metric label."""
        return {metric.label: metric.per_image(found) for metric, found in self._pairs()}

    def per_class(self) -> dict[str, Floats]:
        """The score of each class, `float64 (classes,)` by metric label."""
        return {metric.label: metric.per_class(found) for metric, found in self._pairs()}

    def _pairs(self) -> list[tuple[Metric, Floats]]:
        return list(zip(self.metrics, self.statistics, strict=True))


class Scorer:
    """Scores images one by one, in the order in which they are added."""

    def __init__(
        self,
        metrics: Sequence[Metric],
        activation: Activation,
        recipe: Recipe = IDENTITY,
        plugins: Mapping[str, Step] | None = None,
    ) -> None:
        self._metrics = tuple({metric.label: metric for metric in metrics}.values())
        self._activation: Activation = activation
        self._recipe, self._plugins = recipe, plugins
        self._found = [Measuring(metric) for metric in self._metrics]
        self._wrong: list[int] = []
        self._needs_probabilities = any(metric.needs_probabilities for metric in self._metrics)

    @property
    def primary(self) -> Metric:
        """The primary metric."""
        return self._metrics[0]

    @property
    def needs_objects(self) -> bool:
        """Whether any metric uses the true objects, so that they have to be read."""
        return any(metric.needs_objects for metric in self._metrics)

    def add(
        self,
        stored: Stored,
        labels: Labels,
        objects: Objects | None = None,
        presence: Presence | None = None,
        *,
        image_id: str | None = None,
    ) -> Case:
        """Add one image.

        Args:
            stored: prediction, `uint8` 0–255 or `float16` 0–1, (height, width, classes).
            labels: truth, `uint8 (height, width)`, 255 in ignored pixels.
            objects: true objects, `int32 (height, width)`, if known.
            presence: output of the presence head, `float32 (classes,)`, if there is one.
            image_id: of the image; without it, metrics of stacks take the image as a stack by itself.

        Returns:
            The predicted masks beside the truth.

        Raises:
            ValueError: the sizes differ, or the recipe does not fit the classes.
            ConfigError: a metric from plugins does not return a number, or a step does not return a mask.
        """
        masks = masks_of(stored, self._activation, self._recipe, presence, self._plugins)
        predicted = None
        if self._recipe.split is not None and self.needs_objects:
            planes = [objects_of(masks[..., index], self._recipe) for index in range(masks.shape[2])]
            predicted = np.stack(planes, axis=-1)
        probability = to_probability(stored) if self._needs_probabilities else None
        case = case_of(masks, labels, self._activation, objects, predicted, probability=probability)
        for found in self._found:
            found.add(case, image_id)
        self._wrong.append(case.wrong)
        return case

    def scored(self) -> ScoredImages:
        """The images added so far.

        Raises:
            ValueError: no image was added.
        """
        statistics = tuple(found.statistics() for found in self._found)
        return ScoredImages(self._metrics, statistics, np.array(self._wrong, np.int64))

    def scores(self) -> dict[str, float]:
        """The score of all images added so far by metric label, the primary metric first; NaN where no image counts."""
        return self.scored().scores()
