"""Coverage of masks, and whether test masks are like out-of-fold masks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_STRANGE_SHARE = 0.1
_STRANGE_RATIO = 1.5
_ENOUGH = 50


@dataclass(frozen=True)
class Coverage:
    """Summary of masks: their number, the share of empty ones, and the mean foreground share of the others, 0–1."""

    images: int
    empty_share: float
    mean_area: float


def coverage(shares: Sequence[float]) -> Coverage:
    """Summarise the foreground shares of several masks, 0–1."""
    values = np.array(shares)
    filled = values[values > 0]
    return Coverage(len(values), float((values == 0).mean()), float(filled.mean()) if len(filled) else 0.0)


def strange_differences(test: Coverage, oof: Coverage) -> list[str]:
    """Differences between test and out-of-fold masks that are unlikely to be chance, in words."""
    found = []
    share = oof.empty_share
    spread = (share * (1 - share) * (1 / test.images + 1 / oof.images)) ** 0.5
    if abs(test.empty_share - share) > max(_STRANGE_SHARE, 4 * spread):
        found.append(
            f"{test.empty_share:.1%} of the test masks are empty, but {share:.1%} of the out-of-fold masks: do the "
            "test images differ, or is the threshold wrong?"
        )
    low, high = sorted((test.mean_area, oof.mean_area))
    if test.images >= _ENOUGH and high > _STRANGE_RATIO * low:
        found.append(
            f"test masks that are not empty cover {test.mean_area:.1%} of their images on average, out-of-fold masks "
            f"{oof.mean_area:.1%}"
        )
    return found
