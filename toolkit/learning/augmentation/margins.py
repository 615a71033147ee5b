"""How many pixels around a sample augmentation may move into it, found by trying the transforms."""

from collections.abc import Callable

import numpy as np

from toolkit.core.arrays import Image, Labels

_PROBES = 64
_FRAME = 2  # pixels; thick enough to stay closed when it is rotated or shrunk
_SMALLEST = 3  # pixels; smaller margins are not worth reading
_SHARES = (1 / 16, 1 / 8, 3 / 16, 1 / 4, 3 / 8, 1 / 2)
"""Margins that are tried, as shares of the longer side."""


def margin_of(augment: Callable[[Image, Labels, int], tuple[Image, Labels]], shape: tuple[int, int, int]) -> int:
    """Pixels to read around a sample of (height, width, channels), so that nothing from beyond them is moved into it.

    A frame is drawn along the border of ever larger images. As long as it reaches the middle for some seed, pixels from
    outside the image do too, because transforms move neighbours together. At most half the longer side is tried. The
    margin is 0 if nothing moves in, or if the result has another size, as with random crops.
    """
    if not _enters(augment, shape, _SMALLEST):
        return 0
    margins = [max(_SMALLEST, round(share * max(shape[:2]))) for share in _SHARES]
    return next((margin for margin in margins if not _enters(augment, shape, margin)), margins[-1])


def _enters(
    augment: Callable[[Image, Labels, int], tuple[Image, Labels]], shape: tuple[int, int, int], margin: int
) -> bool | None:
    """Whether the frame reaches the middle for some seed; None if the result has another size."""
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
