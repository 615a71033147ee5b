"""Whether two engines give the same maps."""

from collections.abc import Sequence

import numpy as np

from toolkit.core.arrays import Mask, Probability
from toolkit.files.predictions.engine_checks import THRESHOLDS, Agreement


def agreement_of(some: Sequence[Probability], others: Sequence[Probability]) -> Agreement:
    """Compare maps of the same images, `float32 (height, width, classes)`, 0–1: count pixels that change side.

    A pixel that is not a finite number in one of the maps counts as changed.
    """
    pixels = sum(one.size for one in some)
    changed = [
        sum(int(_changes(one, other, threshold).sum()) for one, other in zip(some, others, strict=True))
        for threshold in THRESHOLDS
    ]
    return Agreement(tuple(count / pixels for count in changed))


def _changes(one: Probability, other: Probability, threshold: float) -> Mask:
    changes: Mask = ((one >= threshold) != (other >= threshold)) | ~np.isfinite(one) | ~np.isfinite(other)
    return changes
