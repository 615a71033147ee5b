"""What costs nothing: the scores of submissions whose masks are the same for every image."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.core.arrays import Floats, Labels, Mask, Objects
from toolkit.core.masks.labels import Activation, has_foreground
from toolkit.core.metrics.measuring import Measuring
from toolkit.core.metrics.metric import Metric, case_of
from toolkit.core.metrics.stacks import DiceHausdorff

_EMPTY, _BACKGROUND = "empty", "background"
_CLASSES_AT_MOST = 10


@dataclass(frozen=True, eq=False)
class ConstantMasks:
    """The score of empty masks, and the score, name and statistics of the best constant ones; NaN without a score.

    `with_negatives` says whether the truth of any image is empty.
    """

    empty: float
    best: float
    name: str
    statistics: Floats
    with_negatives: bool = True


class ConstantScorer:
    """Scores constant masks on images that are added one by one."""

    def __init__(self, metric: Metric, names: Sequence[str], activation: Activation) -> None:
        self._metric, self._activation = metric, activation
        masks = _masks(names, activation)
        # Without foreground every pixel is of the first of exclusive classes, which need not be a background.
        is_class = activation == "softmax" and _BACKGROUND not in names[0].lower()
        self._first = f"all {names[0]}" if is_class else ""
        if isinstance(metric, DiceHausdorff) or len(names) > _CLASSES_AT_MOST:  # others would take too long
            masks = {_EMPTY: masks[_EMPTY]}
        self._masks = masks
        self._found = {name: Measuring(metric) for name in self._masks}
        self._with_negatives = False

    def add(self, labels: Labels, objects: Objects | None, *, image_id: str | None = None) -> None:
        """Add an image with its truth, as `Scorer.add` takes it."""
        self._with_negatives |= not has_foreground(labels)
        for name, classes in self._masks.items():
            planes = np.broadcast_to(classes, (*labels.shape, len(classes)))
            self._found[name].add(case_of(planes, labels, self._activation, objects), image_id)

    def scored(self) -> ConstantMasks:
        """The scores over the images added so far, of which there must be one."""
        statistics = {name: found.statistics() for name, found in self._found.items()}
        scores = {name: self._metric.score(found) for name, found in statistics.items()}
        best = _EMPTY
        for name, score in scores.items():
            if self._metric.is_better(score, scores[best]):
                best = name
        name = self._first if best == _EMPTY and self._first else best
        return ConstantMasks(scores[_EMPTY], scores[best], name, statistics[best], self._with_negatives)


def _masks(names: Sequence[str], activation: Activation) -> dict[str, Mask]:
    """Which classes cover the whole image, `bool (classes,)`, by the name of the masks."""
    alone = np.eye(len(names), dtype=np.bool_)
    if activation == "softmax":
        return {_EMPTY: alone[0]} | {f"all {name}": alone[number] for number, name in enumerate(names) if number}
    masks = {_EMPTY: np.zeros(len(names), np.bool_)}
    masks |= {f"all {name}": alone[number] for number, name in enumerate(names)}
    return masks if len(names) == 1 else masks | {"all of every class": np.ones(len(names), np.bool_)}
