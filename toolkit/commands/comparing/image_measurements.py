"""What `tk evaluate` measures in each image, and the figures that it reports of all of them."""

import math
from collections.abc import Sequence

import numpy as np

from toolkit.commands.comparing.evaluate_result import BadImage, ConfusionTable, Evaluation, SizeScores
from toolkit.core.arrays import Integers, Labels, Objects, Presence
from toolkit.core.masks.labels import Classes
from toolkit.core.metrics.classification_report import BACKGROUND, classification_report
from toolkit.core.metrics.confusion import (
    Confusion,
    area_bins,
    class_scores,
    confusion_of,
    pooled_scores,
    worst_first,
)
from toolkit.core.metrics.metric import Case
from toolkit.core.metrics.scorer import ScoredImages, Scorer
from toolkit.core.recipe.postprocess import describe, recipe_to_plain
from toolkit.core.recipe.probabilities import Stored
from toolkit.core.recipe.recipe import Recipe
from toolkit.files.disk.json_files import finite_or_none


class Measurements:
    """Measures images one by one, in the order of their sorted ids; the scorer applies the recipe."""

    def __init__(self, classes: Classes, recipe: Recipe, scorer: Scorer) -> None:
        self._classes, self._recipe, self._scorer = classes, recipe, scorer
        count = classes.count + (classes.activation == "sigmoid")
        self.confusion = Confusion(np.zeros((count, count), np.int64), np.zeros(count, np.int64))
        self._ids: list[str] = []
        self._areas: list[Integers] = []

    @property
    def needs_objects(self) -> bool:
        """Whether any metric uses the true objects, so that they have to be read."""
        return self._scorer.needs_objects

    @property
    def names(self) -> list[str]:
        """The classes of the confusion matrix: independent classes are shown beside their background."""
        background = [BACKGROUND] if self._classes.activation == "sigmoid" else []
        return [*background, *self._classes.names]

    def add(
        self,
        image_id: str,
        stored: Stored,
        labels: Labels,
        objects: Objects | None = None,
        presence: Presence | None = None,
    ) -> Case:
        """Measure one image, and return its masks beside the truth; arguments and errors as for `Scorer.add`."""
        case = self._scorer.add(stored, labels, objects, presence, image_id=image_id)
        self._ids.append(image_id)
        self._areas.append(case.areas)
        self.confusion += confusion_of(case.prediction, labels, self._classes.activation)
        return case

    def scored(self) -> ScoredImages:
        """The images added so far, with their scores."""
        return self._scorer.scored()

    @property
    def true_areas(self) -> Integers:
        """The true pixels of all foreground classes in each image, `int64 (images,)`."""
        return np.asarray(self._foreground()[:, :, 2].sum(axis=1), np.int64)

    def evaluation(self, name: str, worst: int, source: str, folds: Sequence[int] | None = None) -> Evaluation:
        """The figures of all images.

        Args:
            name: of the experiment.
            worst: how many of the worst images to list.
            source: where the recipe comes from, in words.
            folds: the fold that predicted each image, if the predictions are out-of-fold.
        """
        scored, areas, classes = self.scored(), np.stack(self._areas), self._classes
        metric = scored.metrics[0]
        scores, true_areas = scored.per_image()[metric.label], self.true_areas
        return Evaluation(
            experiment=name,
            metric=metric.label,
            score=finite_or_none(scored.scores()[metric.label]),
            images=len(self._ids),
            recipe=recipe_to_plain(self._recipe),
            recipe_text=describe(self._recipe, classes.names, classes.activation),
            recipe_source=source,
            scores={label: finite_or_none(score) for label, score in scored.scores().items()},
            report=classification_report(areas.sum(axis=0), classes.names, classes.activation),
            classes={name: class_scores(areas[:, index]) for index, name in enumerate(classes.names)},
            confusion=_table(self.names, self.confusion),
            sizes=_sizes(scored, self._foreground()),
            worst=[
                BadImage(
                    self._ids[at],
                    None if folds is None else int(folds[at]),
                    float(scores[at]),
                    int(scored.wrong[at]),
                    int(true_areas[at]),
                )
                for at in worst_first(scores, scored.wrong, metric.direction)[:worst]
            ],
        )

    def _foreground(self) -> Integers:
        """The areas of the foreground classes; the first of exclusive classes is the background."""
        return np.stack(self._areas)[:, 1 if self._classes.activation == "softmax" else 0 :]


def _sizes(scored: ScoredImages, foreground: Integers) -> list[SizeScores]:
    """The scores of images by the area of their true foreground; `foreground` holds the areas of its classes."""
    found = []
    for size in area_bins(foreground[:, :, 2].sum(axis=1)):
        areas = foreground[size.positions]
        score = scored.of(size.positions).scores()[scored.metrics[0].label]
        pooled = pooled_scores(areas)
        found.append(
            SizeScores(
                low=size.low,
                high=size.high,
                images=len(size.positions),
                score=finite_or_none(score),
                precision=pooled.precision,
                recall=pooled.recall,
                left_empty=int((areas[:, :, 1].sum(axis=1) == 0).sum()),
            )
        )
    return found


def _table(names: list[str], confusion: Confusion) -> ConfusionTable:
    shares = [[None if math.isnan(share) else share for share in row] for row in confusion.shares.tolist()]
    return ConfusionTable(names, confusion.counts.tolist(), confusion.pixels.tolist(), shares)
