"""Converting pixels as files store them to the 8 bits and the number of channels that a network takes."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Image

ValueRange = tuple[float, float]
"""The values that become 0 and 255; values outside are clipped."""


class UnknownRangeError(ValueError):
    """Pixels have the type `dtype` without a known range; `low` and `high` are their lowest and highest values."""

    def __init__(self, pixels: npt.NDArray[Any]) -> None:
        self.dtype = str(pixels.dtype)
        self.low, self.high = _limits(pixels)
        of_type = np.issubdtype(pixels.dtype, np.floating) and self.low >= 0 and self.high <= 1
        low, high = (0.0, 1.0) if of_type else (self.low, max(self.high, self.low + 1))
        super().__init__(
            f"has pixels of type {pixels.dtype}, from {self.low:g} to {self.high:g}: which values are black and white "
            f"in all images? Add them to data, for example value_range: [{low:g}, {high:g}]"
        )


def to_bytes(pixels: npt.NDArray[Any], ranges: Sequence[ValueRange] = ()) -> npt.NDArray[np.uint8]:
    """Convert pixels to 8 bits.

    `uint8` stays as it is, `bool` becomes 0 and 255, `uint16` without a range keeps its upper 8 bits. Other types need
    a range; NaN becomes 0.

    Args:
        pixels: (height, width) or (height, width, channels).
        ranges: one for all channels, or one for each channel.

    Raises:
        UnknownRangeError: the type needs a range, but there is none.
        ValueError: several ranges do not match the number of channels, or the type is not a real number.
    """
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == np.bool_:
        return pixels.astype(np.uint8) * np.uint8(255)
    if pixels.dtype.kind not in "uif":
        raise ValueError(f"has pixels of type {pixels.dtype}, which is not a real number")
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
    """Convert pixels (height, width) or (height, width, found) to `uint8 (height, width, channels)`.

    For three channels, grey is repeated and alpha is dropped; for one channel, colours become grey. Other numbers of
    channels must be those found; None keeps the channels found.

    Raises:
        ValueError: the number of channels is not the one found.
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
    """The largest value of each pixel's channels, (height, width), without an alpha channel."""
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
