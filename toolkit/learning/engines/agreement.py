"""Whether two engines give the same maps: the share of pixels that change side at some thresholds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.core.arrays import Probability

THRESHOLDS = (0.25, 0.5, 0.75)
MOST_CHANGED = 0.001
"""The largest share of pixels that may change side at a threshold."""


@dataclass(frozen=True)
class Agreement:
    """The share of pixels that change side at each of `THRESHOLDS`, 0–1; `failure` says why there is no comparison."""

    changed: tuple[float, ...] = ()
    failure: str = ""

    @property
    def holds(self) -> bool:
        """Whether the maps agree."""
        return not self.failure and max(self.changed) <= MOST_CHANGED

    def describe(self) -> str:
        """The reason for which the maps do not agree."""
        if self.failure:
            return f"OpenVINO cannot run the network ({self.failure})"
        worst = int(np.argmax(self.changed))
        return (
            f"with OpenVINO {self.changed[worst]:.2%} of the pixels change side at the threshold "
            f"{THRESHOLDS[worst]:g}, more than {MOST_CHANGED:.1%}"
        )


def agreement_of(some: Sequence[Probability], others: Sequence[Probability]) -> Agreement:
    """Compare maps of the same images, `float32 (height, width, classes)`, 0–1."""
    pixels = sum(one.size for one in some)
    changed = [
        sum(int(((one >= threshold) != (other >= threshold)).sum()) for one, other in zip(some, others, strict=True))
        for threshold in THRESHOLDS
    ]
    return Agreement(tuple(count / pixels for count in changed))
