"""Rectangles of an image, which may reach beyond it, and the pixels that they show."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

_Number = TypeVar("_Number", bound=np.generic)


@dataclass(frozen=True)
class Window:
    """`height` × `width` pixels from row `top` and column `left` on, which are below 0 outside the image."""

    top: int
    left: int
    height: int
    width: int

    @property
    def bottom(self) -> int:
        """The row after the last."""
        return self.top + self.height

    @property
    def right(self) -> int:
        """The column after the last."""
        return self.left + self.width

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.height, self.width

    def inside(self, size: tuple[int, int]) -> "Window":
        """The part of it that lies in an image of (height, width); the two have to meet."""
        top, left = max(0, self.top), max(0, self.left)
        return Window(top, left, min(size[0], self.bottom) - top, min(size[1], self.right) - left)

    def grown(self, rows: int, columns: int) -> "Window":
        """Larger by so many pixels on each side."""
        return Window(self.top - rows, self.left - columns, self.height + 2 * rows, self.width + 2 * columns)


def whole(size: tuple[int, int]) -> Window:
    """All of an image of (height, width)."""
    return Window(0, 0, *size)


def read_mirrored(
    read: Callable[[Window], npt.NDArray[_Number]], window: Window, size: tuple[int, int]
) -> npt.NDArray[_Number]:
    """What a window shows, (height, width, …): pixels of the image where there are any, mirrored ones beyond them.

    Args:
        read: gives the pixels of a window that lies inside the image.
        window: has to meet the image.
        size: (height, width) of the image.
    """
    inner = window.inside(size)
    pixels = read(inner)
    padding = [(inner.top - window.top, window.bottom - inner.bottom)]
    padding += [(inner.left - window.left, window.right - inner.right)]
    if not any(map(any, padding)):
        return pixels
    return np.pad(pixels, padding + [(0, 0)] * (pixels.ndim - 2), mode="symmetric")
