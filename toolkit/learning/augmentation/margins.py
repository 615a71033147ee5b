"""How far around a sample augmentation looks: found by trying, whatever the transforms are."""

from collections.abc import Callable

import numpy as np

from toolkit.core.arrays import Image, Labels

_PROBES = 64
_FRAME = 2  # pixels; thick enough not to be torn when it is turned or shrunk
_SMALLEST = 3  # as good as none
_SHARES = (1 / 16, 1 / 8, 3 / 16, 1 / 4, 3 / 8, 1 / 2)
"""Margins that are tried, as shares of the longer side."""


def margin_of(augment: Callable[[Image, Labels, int], tuple[Image, Labels]], shape: tuple[int, int, int]) -> int:
    """Pixels to read around a sample of (height, width, channels), so that nothing from beyond them comes into view.

    A frame is drawn along the border of ever larger images: as long as some seed brings it into the middle, what lies
    outside the image comes into view too, because transforms move neighbours together. Half the longer side is the most
    that is tried. 0 where nothing moves in, or where the result has a size of its own, as that of random crops has.
    """
    if not _enters(augment, shape, _SMALLEST):
        return 0
    margins = [max(_SMALLEST, round(share * max(shape[:2]))) for share in _SHARES]
    return next((margin for margin in margins if not _enters(augment, shape, margin)), margins[-1])


def _enters(
    augment: Callable[[Image, Labels, int], tuple[Image, Labels]], shape: tuple[int, int, int], margin: int
) -> bool | None:
    """Whether the frame comes into the middle; None if what comes out has another size than what went in."""
    height, width, channels = shape
    size = (height + 2 * margin, width + 2 * margin)
    image = np.random.default_rng(0).integers(0, 256, (*size, channels), dtype=np.uint8)
    labels = np.ones(size, np.uint8)
    labels[_FRAME:-_FRAME, _FRAME:-_FRAME] = 0
    for seed in range(_PROBES):
        changed = augment(image, labels, seed)[1]
        if changed.shape != size:
            return None
        if (changed[margin:-margin, margin:-margin] == 1).any():
            return True
    return False
