"""Pixels as files store them into the 8 bits and the channels that a network takes."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Image

ValueRange = tuple[float, float]
"""The values that become 0 and 255; what lies outside becomes the nearer of the two."""


class UnknownRangeError(ValueError):
    """Pixels of a type that does not say which of its values are dark and bright; carries the lowest and highest."""

    def __init__(self, pixels: npt.NDArray[Any]) -> None:
        self.low, self.high = _limits(pixels)
        super().__init__(
            f"has pixels of type {pixels.dtype}, from {self.low:g} to {self.high:g}: which become black and white? "
            f"Add to data: value_range: [{self.low:g}, {self.high:g}]"
        )


def to_bytes(pixels: npt.NDArray[Any], ranges: Sequence[ValueRange] = ()) -> npt.NDArray[np.uint8]:
    """Pixels in 8 bits: `uint8` as they are, `bool` as 0 and 255, `uint16` without ranges by the upper 8 bits.

    Args:
        pixels: (height, width) or (height, width, channels), of any type.
        ranges: one for all channels or one for each, for every other type and for `uint16`; NaN becomes 0.

    Raises:
        UnknownRangeError: the type needs a range and there is none.
        ValueError: there are more ranges than one, and not as many as channels; the numbers are complex.
    """
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == np.bool_:
        return pixels.astype(np.uint8) * np.uint8(255)
    if pixels.dtype.kind not in "uif":
        raise ValueError(f"has pixels of type {pixels.dtype}, which are no numbers")
    if not ranges:
        if pixels.dtype.kind == "u" and pixels.dtype.itemsize == 2:
            return (pixels.astype(np.uint16) >> 8).astype(np.uint8)
        raise UnknownRangeError(pixels)
    if len(ranges) == 1:
        return _scaled(pixels, ranges[0])
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    if len(ranges) != channels:
        raise ValueError(f"has {channels} channels, but value_range has {len(ranges)} entries")
    return np.stack([_scaled(pixels[:, :, place], one) for place, one in enumerate(ranges)], axis=2)


def with_channels(pixels: npt.NDArray[np.uint8], channels: int | None) -> Image:
    """(height, width) or (height, width, found) with a number of channels, `uint8 (height, width, channels)`.

    With three, grey is repeated and alpha is dropped; with one, colours become grey; else the number must be the same.
    None stands for those that there are.

    Raises:
        ValueError: it is not.
    """
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    found = pixels.shape[2]
    if channels == 3 and found <= 4:
        return np.repeat(pixels[:, :, :1], 3, axis=2) if found < 3 else np.ascontiguousarray(pixels[:, :, :3])
    if channels == 1 and found <= 4:
        colours = np.ascontiguousarray(pixels[:, :, :3])
        grey = pixels[:, :, 0] if found < 3 else cv2.cvtColor(colours, cv2.COLOR_RGB2GRAY)
        return np.ascontiguousarray(grey[:, :, None])
    if channels is not None and found != channels:
        raise ValueError(f"has {found} channels, but shape asks for {channels}")
    return np.ascontiguousarray(pixels)


def largest_channel(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The largest value of the channels of each pixel, (height, width); an alpha channel is none of them."""
    if values.ndim == 2:
        return values
    with_alpha = values.shape[2] in (2, 4)
    largest: npt.NDArray[Any] = values[:, :, : values.shape[2] - with_alpha].max(axis=2)
    return largest


def _scaled(pixels: npt.NDArray[Any], limits: ValueRange) -> npt.NDArray[np.uint8]:
    low, high = limits
    if pixels.dtype.kind == "u" and pixels.dtype.itemsize <= 2:  # a table is faster than arithmetic
        table = _scaled(np.arange(2 ** (8 * pixels.dtype.itemsize), dtype=np.float64), limits)
        looked_up: npt.NDArray[np.uint8] = table[pixels]
        return looked_up
    shares = (np.nan_to_num(pixels.astype(np.float64), nan=low) - low) / (high - low)
    return np.rint(np.clip(shares, 0, 1) * 255).astype(np.uint8)


def _limits(pixels: npt.NDArray[Any]) -> tuple[float, float]:
    finite = pixels[np.isfinite(pixels)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
