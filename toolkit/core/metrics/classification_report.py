"""The classification report over pixels: precision, recall, F1 and IoU of each class, and their averages.

Formulas and averages are those of `sklearn.metrics.classification_report` with its defaults
(https://scikit-learn.org/stable/modules/model_evaluation.html#classification-report). scikit-learn takes one label for
each sample; the areas of the classes are already counted here, and they serve IoU and independent classes too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.core.arrays import Floats, Integers
from toolkit.core.masks.labels import Activation
from toolkit.core.metrics.area import dice, iou, precision, recall

BACKGROUND = "background"
"""Name of the pixels outside a single class."""

_FORMULAS = tuple(formula("zero") for formula in (precision, recall, dice, iou))


@dataclass(frozen=True)
class ReportRow:
    """Precision, recall, F1 (equal to Dice) and IoU of a class or an average, 0–1; `support` counts true pixels."""

    precision: float
    recall: float
    f1: float
    iou: float
    support: int


@dataclass(frozen=True)
class ClassificationReport:
    """The rows of a classification report.

    Attributes:
        classes: the row of each class by name; None for a class that neither truth nor prediction contains. A single
            independent class is reported with its background.
        accuracy: share of correct pixels; None with several independent classes, or without any pixels.
        micro: scores of the pixels of all classes counted together, with several independent classes; else None.
        macro: unweighted mean over the classes.
        weighted: mean over the classes, weighted by support.
    """

    classes: dict[str, ReportRow | None]
    accuracy: float | None
    micro: ReportRow | None
    macro: ReportRow
    weighted: ReportRow


def classification_report(areas: Integers, names: Sequence[str], activation: Activation) -> ClassificationReport:
    """Build the report from the areas of the classes.

    A score with a zero denominator is 0, for example the precision of a class that is never predicted. Classes that
    neither truth nor prediction contains are left out of the averages.

    Args:
        areas: areas summed over images, without ignored pixels, `int64 (classes, 4)`; see
            `toolkit.core.metrics.metric.AREAS`.
        names: names of the classes.
        activation: `softmax` if the classes are exclusive. A single class with `sigmoid` and its background are too.
    """
    names, exclusive = list(names), activation == "softmax"
    if not exclusive and len(names) == 1:
        both, predicted, truth, pixels = areas[0]
        rest = np.array([[pixels - predicted - truth + both, pixels - predicted, pixels - truth, pixels]])
        name = BACKGROUND if names != [BACKGROUND] else "foreground"
        areas, names, exclusive = np.concatenate([rest, areas]), [name, *names], True
    scores = _scores(areas)
    support = areas[:, 2]
    occurs = (areas[:, 1] + support) > 0
    rows = {
        name: _row(scores[index], int(support[index])) if occurs[index] else None for index, name in enumerate(names)
    }
    total, pixels = areas.sum(axis=0), int(areas[0, 3])
    counted = occurs if occurs.any() else np.ones_like(occurs)
    weights = np.where(support.any(), support, 1)[counted]
    return ClassificationReport(
        classes=rows,
        accuracy=int(total[0]) / pixels if exclusive and pixels else None,
        micro=None if exclusive else _row(_scores(total[None])[0], int(total[2])),
        macro=_row(scores[counted].mean(axis=0), int(total[2])),
        weighted=_row(np.average(scores[counted], axis=0, weights=weights), int(total[2])),
    )


def _scores(areas: Integers) -> Floats:
    """Precision, recall, F1 and IoU of each row of areas, `float64 (rows, 4)`; 0 where the denominator is 0."""
    return np.stack([formula.score(areas[:, 0], areas[:, 1], areas[:, 2]) for formula in _FORMULAS], axis=1)


def _row(scores: Floats, support: int) -> ReportRow:
    values: list[float] = scores.tolist()
    return ReportRow(values[0], values[1], values[2], values[3], support)
