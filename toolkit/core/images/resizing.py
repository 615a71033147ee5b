"""Resizing images to the network's input size, and predictions back to the image size."""

from dataclasses import dataclass
from typing import Literal, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Image, Labels, Mask, Objects, Probability

Resize = Literal["stretch", "pad", "fit"]
"""`stretch` scales both sides to the input shape. `pad` and `fit` keep the aspect ratio and pad with mirrored pixels:
`pad` around images at their original size, `fit` around images scaled until one side fits."""

_Number = TypeVar("_Number", np.uint8, np.int32, np.float32)


@dataclass(frozen=True)
class Placement:
    """The place of an image in the network's input: scaled to `scaled`, then padded to `shape` on four sides."""

    original: tuple[int, int]
    scaled: tuple[int, int]
    top: int
    left: int
    shape: tuple[int, int]

    def image(self, image: Image) -> Image:
        """Resize an image `uint8 (height, width, channels)` to the input size."""
        return self._pad(_scale(image, self.scaled, _interpolation(self.original, self.scaled)))

    def labels(self, labels: Labels) -> Labels:
        """Resize a label map `uint8 (height, width)` to the input size."""
        return self._pad(_scale(labels, self.scaled, cv2.INTER_NEAREST_EXACT))

    def at(self, shape: tuple[int, int]) -> "Placement":
        """The same placement in an input of another size; the image is scaled like the input."""
        sides = zip(self.scaled, shape, self.shape, strict=True)
        height, width = (max(1, round(length * new / old)) for length, new, old in sides)
        return _centred(self.original, (height, width), shape)

    def undo(self, prediction: Probability) -> Probability:
        """Resize a prediction `float32 (height, width, classes)` from the input size back to the image size."""
        height, width = self.scaled
        inner = prediction[self.top : self.top + height, self.left : self.left + width]
        return _scale(np.ascontiguousarray(inner), self.original, cv2.INTER_LINEAR)

    def _pad(self, array: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        bottom = self.shape[0] - self.scaled[0] - self.top
        right = self.shape[1] - self.scaled[1] - self.left
        if not (self.top or self.left or bottom or right):
            return array
        padding = [(self.top, bottom), (self.left, right)] + [(0, 0)] * (array.ndim - 2)
        return np.pad(array, padding, mode="symmetric")


def place(original: tuple[int, int], shape: tuple[int, int], resize: Resize) -> Placement:
    """Place an image of size `original` (height, width) in a network's input of size `shape`.

    `stretch` scales both sides to the shape. `pad` keeps the pixels and pads around the centre; it scales down
    only images larger than the shape, keeping their aspect ratio. `fit` also scales up smaller images.
    """
    if resize == "stretch":
        return Placement(original, shape, 0, 0, shape)
    scale = min(shape[0] / original[0], shape[1] / original[1])
    if resize == "pad":
        scale = min(1.0, scale)
    height, width = (min(side, max(1, round(length * scale))) for side, length in zip(shape, original, strict=True))
    return _centred(original, (height, width), shape)


def _centred(original: tuple[int, int], scaled: tuple[int, int], shape: tuple[int, int]) -> Placement:
    return Placement(original, scaled, (shape[0] - scaled[0]) // 2, (shape[1] - scaled[1]) // 2, shape)


def scale_mask(mask: Mask, size: tuple[int, int]) -> Mask:
    """Scale `bool (height, width)` to another size (height, width).

    If both sides shrink, a pixel is foreground if at least half of the area under it is; otherwise it takes the value
    of the nearest pixel.
    """
    if mask.shape == size:
        return mask
    if size[0] > mask.shape[0] or size[1] > mask.shape[1]:
        return _scale(mask.astype(np.uint8), size, cv2.INTER_NEAREST_EXACT) > 0
    return _scale(mask.astype(np.float32), size, cv2.INTER_AREA) >= 0.5


def scale_image(image: Image, size: tuple[int, int]) -> Image:
    """Scale `uint8 (height, width, channels)` to another size (height, width)."""
    return _scale(image, size, _interpolation(image.shape[:2], size))


def scale_map(probability: Probability, size: tuple[int, int]) -> Probability:
    """Scale `float32 (height, width, classes)`, 0–1, to another size (height, width)."""
    return _scale(probability, size, _interpolation(probability.shape[:2], size))


def scale_numbers(objects: Objects, size: tuple[int, int]) -> Objects:
    """Scale `int32 (height, width)` to another size (height, width): a pixel takes the number of the nearest one."""
    return _scale(objects, size, cv2.INTER_NEAREST_EXACT)


def _interpolation(original: tuple[int, int], scaled: tuple[int, int]) -> int:
    """Area averaging if no side grows, because linear interpolation would skip pixels; else linear."""
    return cv2.INTER_AREA if scaled[0] <= original[0] and scaled[1] <= original[1] else cv2.INTER_LINEAR


def _scale(array: npt.NDArray[_Number], size: tuple[int, int], interpolation: int) -> npt.NDArray[_Number]:
    if array.shape[:2] == size:
        return array
    scaled = cv2.resize(array, (size[1], size[0]), interpolation=interpolation)
    return scaled.reshape(*size, *array.shape[2:])  # type: ignore[return-value] # cv2 drops a last axis of one
