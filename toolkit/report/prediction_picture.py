"""The picture of a prediction: the image, the probability, and the masks over the image, with a legend."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from toolkit.core.arrays import Planes
from toolkit.report.colours import CLASS_COLOURS, CLASS_STRENGTH, probability_scale, viridis
from toolkit.report.drawing import (
    MARGIN,
    PAPER,
    QUIET_INK,
    TEXT_SIZE,
    TILE_GAP,
    Picture,
    as_bytes,
    as_rgb,
    flowed,
    joined,
    outline,
    resized,
    swatch,
    text_line,
    tinted,
)

_SMALLEST, _LARGEST = 256, 1024
_LEGEND_AT_MOST = 24


def prediction_picture(
    image: npt.NDArray[np.uint8],
    probability: npt.NDArray[np.float32] | npt.NDArray[np.uint8],
    masks: Planes,
    *,
    name: str,
    title: str,
    classes: Sequence[str],
) -> Picture:
    """Draw a prediction.

    Images are drawn at their own size where their longer side is from 256 to 1024 pixels, else scaled to that.

    Args:
        image: `uint8 (height, width, channels)`.
        probability: `float32 (height, width, classes)`, 0–1, or `uint8`, 0–255, without a background; the largest of a
            pixel is drawn.
        masks: `bool (height, width, classes)`.
        name: of the image.
        title: where the prediction comes from.
        classes: their names.

    Returns:
        `uint8 (height, width, 3)`, RGB.
    """
    size = _drawn_size(image.shape[0], image.shape[1])
    plain = resized(as_rgb(image), size, cv2.INTER_NEAREST_EXACT)
    largest = probability[..., 0] if len(classes) == 1 else probability.max(axis=2)
    certain = np.float32(255 if largest.dtype == np.uint8 else 1)
    likely = np.clip(resized(largest, size, cv2.INTER_LINEAR) / certain, 0, 1)
    tiles = [
        ("image", as_bytes(plain)),
        ("probability" if len(classes) == 1 else "largest probability", viridis(likely)),
        ("prediction", _tinted_masks(plain, masks, size)),
    ]
    columns = [
        joined([text_line(heading, TEXT_SIZE, (size[0], 24), QUIET_INK), Image.fromarray(tile)], 0, beside=False)
        for heading, tile in tiles
    ]
    body = joined(columns, TILE_GAP, beside=True)
    lines = [text_line(line, TEXT_SIZE, (body.width, 22), *ink) for line, *ink in ((name,), (title, QUIET_INK))]
    picture = joined([*lines, body, *flowed(_legend(classes, masks), body.width)], 6, beside=False)
    return np.array(ImageOps.expand(picture, MARGIN, PAPER), np.uint8)


def _drawn_size(height: int, width: int) -> tuple[int, int]:
    """Width and height of a tile."""
    longer = max(height, width)
    scale = min(max(longer, _SMALLEST), _LARGEST) / longer
    return max(1, round(width * scale)), max(1, round(height * scale))


def _tinted_masks(picture: npt.NDArray[np.float32], masks: Planes, size: tuple[int, int]) -> Picture:
    outlines = []
    for number in range(masks.shape[2]):
        if not masks[..., number].any():
            continue
        colour = CLASS_COLOURS[number % len(CLASS_COLOURS)]
        part = resized(masks[..., number], size, cv2.INTER_NEAREST_EXACT)
        picture = tinted(picture, part, colour, CLASS_STRENGTH)
        outlines.append((outline(part, 1), colour))
    for line, colour in outlines:
        picture = tinted(picture, line, colour, 1.0)
    return as_bytes(picture)


def _legend(classes: Sequence[str], masks: Planes) -> list[Image.Image]:
    """Each class with its share of the pixels; of very many only those that occur, the largest first."""
    shares = masks.mean(axis=(0, 1))
    numbers = list(range(len(classes)))
    if len(numbers) > _LEGEND_AT_MOST:
        numbers = sorted((number for number in numbers if shares[number]), key=lambda number: -shares[number])
    items = [
        swatch(
            f"{classes[number]} {_percent(float(shares[number]))}",
            CLASS_COLOURS[number % len(CLASS_COLOURS)],
            CLASS_STRENGTH,
        )
        for number in numbers[:_LEGEND_AT_MOST]
    ]
    return [*items, probability_scale()]


def _percent(share: float) -> str:
    return "none" if not share else "under 0.1 %" if share < 0.001 else f"{share:.1%}".replace("%", " %")
