"""What imgaug has and albumentations lacks, as functions of (image, labels, generator)."""

from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np

from toolkit.core.arrays import Image, Labels

Sample = tuple[Image, Labels]
SampleFunction = Callable[[Image, Labels, np.random.Generator], Sample]
"""From an image `uint8 (height, width, channels)`, its labels `uint8 (height, width)` and a generator to both of the
same shapes and types; draws from the generator alone."""

_MIDDLE_GREY = 128


def linear_contrast(alpha: tuple[float, float] = (1.0, 1.0)) -> SampleFunction:
    """Distances from middle grey times a factor of the range `alpha`; 1 changes nothing."""

    def changed(image: Image, labels: Labels, random: np.random.Generator) -> Sample:
        levels = np.arange(256, dtype=np.float32) - _MIDDLE_GREY
        table = np.clip(np.rint(levels * np.float32(random.uniform(*alpha)) + _MIDDLE_GREY), 0, 255).astype(np.uint8)
        return table[image], labels

    return changed


def grayscale(alpha: tuple[float, float] = (1.0, 1.0)) -> SampleFunction:
    """A blend with the grey image, whose share is of the range `alpha` within 0–1.

    Grey is the luma of three channels (ITU-R BT.601), of any other number their mean.
    """

    def changed(image: Image, labels: Labels, random: np.random.Generator) -> Sample:
        share = np.float32(random.uniform(*alpha))
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.shape[2] == 3 else image.mean(axis=2)
        blend = image * (1 - share) + grey[..., np.newaxis].astype(np.float32) * share
        return np.rint(np.clip(blend, 0, 255)).astype(np.uint8), labels

    return changed


TRANSLATED: Mapping[str, Callable[..., Any]] = {"LinearContrast": linear_contrast, "Grayscale": grayscale}
"""From arguments to the function, by the names that toolkit.config.training.imgaug gives."""
