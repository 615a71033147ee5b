"""The picture of a prediction: image, probability, and the masks over the image beside the truth, with a legend."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from toolkit.core.arrays import Mask, Planes
from toolkit.report.colours import CLASS_STRENGTH, IGNORE_COLOUR, IGNORE_STRENGTH, PAPER, QUIET_INK, class_colour
from toolkit.report.drawing import (
    MARGIN,
    TILE_GAP,
    Picture,
    Plane,
    as_bytes,
    as_rgb,
    flowed,
    joined,
    probability_scale,
    resized,
    swatch,
    text_block,
    tinted,
    untinted_swatch,
    viridis,
    with_classes,
)
from toolkit.report.lettering import TEXT_SIZE, text_line

_SMALLEST, _LARGEST = 256, 1024
_LEGEND_AT_MOST = 24
_TITLE_LINES = 5


@dataclass(frozen=True, eq=False)
class Truth:
    """The true masks, `bool (height, width, classes)`, and the ignored pixels, `bool (height, width)`."""

    masks: Planes
    ignored: Mask


def prediction_picture(
    image: npt.NDArray[np.uint8],
    probability: npt.NDArray[np.float32] | npt.NDArray[np.uint8],
    masks: Planes,
    *,
    name: str,
    title: str,
    classes: Sequence[str],
    background: str | None = None,
    truth: Truth | None = None,
) -> Picture:
    """Draw a prediction.

    The longer side of each tile is that of the image, but at least 256 and at most 1024 pixels.

    Args:
        image: `uint8 (height, width, channels)`.
        probability: `float32 (height, width, classes)`, 0–1, or `uint8`, 0–255, without a background; the largest of
            each pixel is drawn.
        masks: `bool (height, width, classes)`.
        name: of the image.
        title: where the prediction is from.
        classes: names of the classes, without a background.
        background: the name of the first one of exclusive classes, which is not tinted.
        truth: drawn beside the prediction, if it is known.

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
        ("probability" if len(classes) == 1 else "probability of the likeliest class", viridis(likely)),
        (
            "prediction" if masks.any() else "prediction: nothing",
            as_bytes(with_classes(plain, _occurring(masks), size)),
        ),
        *([] if truth is None else [("truth", _truth_tile(plain, truth, size))]),
    ]
    columns = [
        joined([text_line(heading, TEXT_SIZE, (size[0], 24), QUIET_INK), Image.fromarray(tile)], 0, beside=False)
        for heading, tile in tiles
    ]
    body = joined(columns, TILE_GAP, beside=True)
    top = text_block(name, TEXT_SIZE, body.width, 22, lines=1)
    below = text_block(title, TEXT_SIZE, body.width, 20, QUIET_INK, lines=_TITLE_LINES)
    legend = _legend(classes, masks, truth, background)
    picture = joined([top, below, body, *flowed(legend, body.width)], 6, beside=False)
    return np.array(ImageOps.expand(picture, MARGIN, PAPER), np.uint8)


def _drawn_size(height: int, width: int) -> tuple[int, int]:
    """Width and height of a tile."""
    longer = max(height, width)
    scale = min(max(longer, _SMALLEST), _LARGEST) / longer
    return max(1, round(width * scale)), max(1, round(height * scale))


def _occurring(masks: Planes) -> Iterator[tuple[int, Mask]]:
    """Numbers and masks of the classes that occur."""
    for number in range(masks.shape[2]):
        if masks[..., number].any():
            yield number, masks[..., number]


def _truth_tile(plain: Plane, truth: Truth, size: tuple[int, int]) -> Picture:
    ignored = resized(truth.ignored, size, cv2.INTER_NEAREST_EXACT)
    return as_bytes(tinted(with_classes(plain, _occurring(truth.masks), size), ignored, IGNORE_COLOUR, IGNORE_STRENGTH))


def _legend(classes: Sequence[str], masks: Planes, truth: Truth | None, background: str | None) -> list[Image.Image]:
    """Each class with its share of the pixels; of very many classes only those that occur, the largest first."""
    shares = masks.mean(axis=(0, 1))
    true_shares = np.zeros_like(shares) if truth is None else truth.masks.mean(axis=(0, 1))
    largest = np.maximum(shares, true_shares)
    numbers = list(range(len(classes)))
    if len(numbers) > _LEGEND_AT_MOST:
        numbers = sorted((number for number in numbers if largest[number]), key=lambda number: -largest[number])

    def shown(number: int) -> str:
        true = "" if truth is None else f" (truth: {_percent(float(true_shares[number]))})"
        return f"{classes[number]}: {_percent(float(shares[number]))}{true}"

    items = [swatch(shown(number), class_colour(number), CLASS_STRENGTH) for number in numbers[:_LEGEND_AT_MOST]]
    if truth is not None and truth.ignored.any():
        items.append(swatch(f"ignored: {_percent(float(truth.ignored.mean()))}", IGNORE_COLOUR, IGNORE_STRENGTH))
    untinted = [] if background is None else [untinted_swatch(background)]
    return [*untinted, *items, probability_scale()]


def _percent(share: float) -> str:
    return "none" if not share else "under 0.1 %" if share < 0.001 else f"{share:.1%}".replace("%", " %")
