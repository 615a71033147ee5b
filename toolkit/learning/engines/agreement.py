"""Whether two engines give the same maps."""

from collections.abc import Sequence

from toolkit.core.arrays import Probability
from toolkit.files.experiment.engine_checks import THRESHOLDS, Agreement


def agreement_of(some: Sequence[Probability], others: Sequence[Probability]) -> Agreement:
    """Compare maps of the same images, `float32 (height, width, classes)`, 0–1: count pixels that change side."""
    pixels = sum(one.size for one in some)
    changed = [
        sum(int(((one >= threshold) != (other >= threshold)).sum()) for one, other in zip(some, others, strict=True))
        for threshold in THRESHOLDS
    ]
    return Agreement(tuple(count / pixels for count in changed))
