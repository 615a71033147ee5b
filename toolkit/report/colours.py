"""The colours of classes, ignored pixels, probabilities, and of truth, mask, hit, miss and false alarm."""

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from toolkit.report.drawing import (
    INK,
    PAPER,
    SCALE_SIZE,
    TEXT_SIZE,
    Colour,
    Picture,
    Plane,
    as_bytes,
    text_line,
    text_width,
)

# The first is what the overlay sheet draws the truth in; then Okabe and Ito's, then others that differ from them.
CLASS_COLOURS: tuple[Colour, ...] = (
    (0, 190, 138), (230, 159, 0), (86, 180, 233), (204, 121, 167), (240, 228, 66), (213, 94, 0),
    (0, 114, 178), (170, 68, 153), (153, 221, 85), (255, 160, 160), (136, 204, 238), (140, 110, 60),
)  # fmt: skip
IGNORE_COLOUR: Colour = (150, 155, 162)
CLASS_STRENGTH, IGNORE_STRENGTH = 0.3, 0.75

# After the palette of Okabe and Ito, made for colour-blind eyes. The three of the difference tile also differ in
# lightness, so they survive a black-and-white print; the green is lighter than theirs, for dark images.
TRUTH: Colour = (0, 190, 138)
MASK: Colour = (204, 121, 167)
HIT: Colour = (86, 180, 233)
MISS: Colour = (213, 94, 0)
FALSE_ALARM: Colour = (240, 228, 66)
TRUTH_STRENGTH, MASK_STRENGTH, HIT_STRENGTH = 0.35, 0.55, 0.7  # 1 hides the image; misses and false alarms do


def viridis(probability: Plane) -> Picture:
    """Probabilities `float32 (height, width)`, 0–1, in colours."""
    coloured = cv2.applyColorMap(as_bytes(probability * 255), cv2.COLORMAP_VIRIDIS)
    return np.asarray(cv2.cvtColor(coloured, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def probability_scale() -> Image.Image:
    """The colours of the probabilities from 0 to 1 with a mark at 0.5."""
    label, length = "probability", 160
    left = text_width(label, TEXT_SIZE) + 12
    item = Image.new("RGB", (left + length + 6, 34), PAPER)
    item.paste(text_line(label, TEXT_SIZE, (left, 18)))
    ramp = np.tile(np.linspace(0, 1, length, dtype=np.float32), (12, 1))
    item.paste(Image.fromarray(viridis(ramp)), (left, 3))
    draw = ImageDraw.Draw(item)
    for text, where in (("0", left), ("0.5", left + length // 2), ("1", left + length - 1)):
        draw.line((where, 15, where, 19), fill=INK)
        draw.text((where, 26), text, fill=INK, font=ImageFont.load_default(SCALE_SIZE), anchor="mm")
    draw.line((left + length // 2, 3, left + length // 2, 14), fill=PAPER)
    return item
