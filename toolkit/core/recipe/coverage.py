"""How much of their images masks cover, and whether test masks look like out-of-fold ones."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_STRANGE_SHARE = 0.1
_STRANGE_RATIO = 1.5
_ENOUGH = 50


@dataclass(frozen=True)
class Coverage:
    """Masks on the whole: how many, the share of empty ones, and the mean foreground share of the others."""

    images: int
    empty_share: float
    mean_area: float


def coverage(shares: Sequence[float]) -> Coverage:
    """Summarise the foreground shares, 0–1, of several masks."""
    values = np.array(shares)
    filled = values[values > 0]
    return Coverage(len(values), float((values == 0).mean()), float(filled.mean()) if len(filled) else 0.0)


def strange_differences(test: Coverage, oof: Coverage) -> list[str]:
    """Differences between test and out-of-fold masks that chance does not explain, in words."""
    found = []
    share = oof.empty_share
    spread = (share * (1 - share) * (1 / test.images + 1 / oof.images)) ** 0.5
    if abs(test.empty_share - share) > max(_STRANGE_SHARE, 4 * spread):
        found.append(
            f"{test.empty_share:.1%} of the test masks are empty, but {share:.1%} out-of-fold: do test images differ, "
            "or is the threshold off?"
        )
    low, high = sorted((test.mean_area, oof.mean_area))
    if test.images >= _ENOUGH and high > _STRANGE_RATIO * low:
        found.append(
            f"test masks cover {test.mean_area:.1%} of their images on average, out-of-fold {oof.mean_area:.1%}"
        )
    return found
