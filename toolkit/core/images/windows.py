"""Windows: rectangles in an image, which may extend beyond it, and the pixels in them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

_Number = TypeVar("_Number", bound=np.generic)


@dataclass(frozen=True)
class Window:
    """A rectangle of `height` × `width` pixels; `top` and `left` are negative if it begins outside the image."""

    top: int
    left: int
    height: int
    width: int

    @property
    def bottom(self) -> int:
        """The row after the last one."""
        return self.top + self.height

    @property
    def right(self) -> int:
        """The column after the last one."""
        return self.left + self.width

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.height, self.width

    def inside(self, size: tuple[int, int]) -> "Window":
        """The intersection with an image of (height, width), which must not be empty."""
        top, left = max(0, self.top), max(0, self.left)
        return Window(top, left, min(size[0], self.bottom) - top, min(size[1], self.right) - left)

    def grown(self, rows: int, columns: int) -> "Window":
        """The window enlarged by `rows` at the top and bottom and by `columns` at the left and right."""
        return Window(self.top - rows, self.left - columns, self.height + 2 * rows, self.width + 2 * columns)


def centred_start(length: int, side: int) -> int:
    """The first pixel of a window of `side` centred on an image of `length`, 0 or negative; `side` is not smaller."""
    return -((side - length) // 2)


def whole(size: tuple[int, int]) -> Window:
    """The window of a whole image of (height, width)."""
    return Window(0, 0, *size)


def read_mirrored(
    read: Callable[[Window], npt.NDArray[_Number]], window: Window, size: tuple[int, int]
) -> npt.NDArray[_Number]:
    """Read the pixels of a window, (height, width, …); outside the image, they are mirrored at its edges.

    Args:
        read: returns the pixels of a window inside the image.
        window: a window that overlaps the image.
        size: (height, width) of the image.
    """
    (top, bottom), (left, right) = (
        _needed(start, start + side, length)
        for start, side, length in zip((window.top, window.left), window.size, size, strict=True)
    )
    pixels = read(Window(top, left, bottom - top, right - left))
    padding = [(max(0, -window.top), max(0, window.bottom - size[0]))]
    padding += [(max(0, -window.left), max(0, window.right - size[1]))]
    if not any(map(any, padding)):
        return pixels
    padded = np.pad(pixels, padding + [(0, 0)] * (pixels.ndim - 2), mode="symmetric")
    return padded[max(0, window.top - top) :, max(0, window.left - left) :][: window.height, : window.width]


def _needed(start: int, end: int, length: int) -> tuple[int, int]:
    """First and last position to read along one side, including the pixels to mirror."""
    before, after = max(0, -start), max(0, end - length)
    low, high = max(0, start), min(length, end)
    return max(0, min(low, length - after)), min(length, max(high, before))
