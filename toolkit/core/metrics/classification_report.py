"""The classification report: each pixel as one decision, scored class by class as scikit-learn scores samples.

Formulas and averages are those of `sklearn.metrics.classification_report` with its defaults
(https://scikit-learn.org/stable/modules/model_evaluation.html#classification-report).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.core.arrays import Floats, Integers
from toolkit.core.masks.labels import Activation

BACKGROUND = "background"
"""What the pixels outside of a single class are called."""


@dataclass(frozen=True)
class ReportRow:
    """Precision, recall and F1 (which is Dice) of a class or a mean, 0–1, and IoU, which scikit-learn leaves out.

    `support` is the number of true pixels.
    """

    precision: float
    recall: float
    f1: float
    iou: float
    support: int


@dataclass(frozen=True)
class ClassificationReport:
    """What decisions about pixels are worth.

    Attributes:
        classes: the row of each class by name; None for one that neither truth nor prediction has. A single
            independent class stands beside its background.
        accuracy: share of the pixels that are right, where each has one class; None with several independent classes,
            or without any pixel.
        micro: of several independent classes, the scores of all their pixels counted together.
        macro: mean over the classes, whatever their size.
        weighted: mean over the classes by their support.
    """

    classes: dict[str, ReportRow | None]
    accuracy: float | None
    micro: ReportRow | None
    macro: ReportRow
    weighted: ReportRow


def classification_report(areas: Integers, names: Sequence[str], activation: Activation) -> ClassificationReport:
    """Report on areas of classes, ignored pixels left out.

    What would be nothing by nothing, such as the precision of a class that is never predicted, is 0. Classes that
    neither truth nor prediction has take no part in the means.

    Args:
        areas: `int64 (classes, 4)`, summed over images, see `toolkit.core.metrics.metric.AREAS`.
        names: of the classes.
        activation: `softmax` if they exclude each other; a single class with `sigmoid` does exclude its background.
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
    """Precision, recall, F1 and IoU of each row of areas, `float64 (rows, 4)`; 0 for nothing by nothing."""
    both, predicted, truth = areas[:, 0], areas[:, 1], areas[:, 2]
    numerators = np.stack([both, both, 2 * both, both], axis=1)
    denominators = np.stack([predicted, truth, predicted + truth, predicted + truth - both], axis=1)
    return np.asarray(numerators / np.maximum(denominators, 1), np.float64)


def _row(scores: Floats, support: int) -> ReportRow:
    precision, recall, f1, iou = scores.tolist()
    return ReportRow(precision, recall, f1, iou, support)
