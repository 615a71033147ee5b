"""How masks say which class a pixel is of: by values, colours, ranges of values, bits, channels or objects.

A coding brings the stored pixels of a mask, (height, width) or (height, width, channels), into the form that `Classes`
reads: numbers `(height, width)`, or planes `uint8 (height, width, classes)` of 0, 1 and, where void, 255.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Objects
from toolkit.core.images.value_range import largest_channel
from toolkit.core.masks.labels import IGNORE, UnknownValuesError

Colour = tuple[int, int, int]
"""Red, green, blue, 0–255."""

_LISTED = 10


class Coding(Protocol):
    """What reads masks."""

    @property
    def wants_colours(self) -> bool:
        """Whether the colours of a palette image count, not its indices."""

    def decode(self, stored: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Numbers or planes of the stored pixels.

        Raises:
            UnknownValuesError: pixels of no class.
        """


@dataclass(frozen=True)
class ByValue:
    """One value a class, of several channels the largest; which value is which class, `Classes` knows."""

    wants_colours: bool = False

    def decode(self, stored: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The values, bool or whole."""
        return whole_numbers(largest_channel(stored))


@dataclass(frozen=True)
class ByColour:
    """One colour a class: the first one becomes 1, the second 2, …; others are refused.

    With `black_is_background` black becomes 0 if it is none of them, with `rest_is_background` every other colour does.
    `names` are those of the colours.
    """

    colours: tuple[Colour, ...]
    names: tuple[str, ...]
    rest_is_background: bool = False
    black_is_background: bool = False
    wants_colours: bool = True

    def decode(self, stored: npt.NDArray[Any]) -> npt.NDArray[np.uint16]:
        """The number of the colour of each pixel."""
        if stored.dtype not in (np.uint8, np.bool_):
            raise UnknownValuesError(f"pixels of type {stored.dtype}; colours have 8 bits a channel")
        values = stored * np.uint8(255) if stored.dtype == np.bool_ else stored
        if values.ndim == 2 or values.shape[2] < 3:
            values = np.repeat(values.reshape(*values.shape[:2], -1)[:, :, :1], 3, axis=2)
        packed = _packed(values[:, :, :3])
        codes = np.array([_packed(np.array(colour, np.uint8)) for colour in self.colours], np.uint32)
        order = np.argsort(codes)
        place = np.minimum(np.searchsorted(codes[order], packed), len(codes) - 1)
        known = codes[order][place] == packed
        if not self.rest_is_background:
            unknown = packed[~known]
            self._refuse(unknown[unknown != 0] if self.black_is_background else unknown)
        result: npt.NDArray[np.uint16] = np.where(known, order[place] + 1, 0).astype(np.uint16)
        return result

    def _refuse(self, packed: npt.NDArray[np.uint32]) -> None:
        found, counts = np.unique(packed, return_counts=True)
        if len(found):
            common = np.argsort(-counts)[:_LISTED]
            listed = ", ".join(f"#{found[place]:06x} ({counts[place]} pixels)" for place in common)
            expected = ", ".join(
                f"{name}: #{red:02x}{green:02x}{blue:02x}"
                for name, (red, green, blue) in zip(self.names, self.colours, strict=True)
            )
            more = ", …" if len(found) > _LISTED else ""
            raise UnknownValuesError(f"colours that no class has: {listed}{more}; expected {expected}")


@dataclass(frozen=True)
class ByRange:
    """Ranges of values, both ends included: the first becomes 1, the second 2, …; values in none of them become 0.

    Where ranges overlap there are planes instead, one for each. Values in `void` become one number more, or 255 in the
    planes. Of several channels the largest value counts.
    """

    ranges: tuple[tuple[float, float], ...]
    ignored: tuple[tuple[float, float], ...] = ()
    wants_colours: bool = True

    def decode(self, stored: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The number of the range of each pixel, or planes."""
        values = largest_channel(stored)
        inside = ((low <= values) & (values <= high) for low, high in self.ranges)
        ignored = np.zeros(values.shape, np.bool_)
        for low, high in self.ignored:
            ignored |= (low <= values) & (values <= high)
        if overlap(self.ranges):
            planes = np.stack([plane.astype(np.uint8) for plane in inside], axis=2)
            planes[ignored] = IGNORE
            return planes
        numbers = np.zeros(values.shape, np.uint8)
        for number, plane in enumerate(inside, start=1):
            numbers[plane] = number
        numbers[ignored] = len(self.ranges) + 1
        return numbers


@dataclass(frozen=True)
class ByBit:
    """One bit a class, counted from 0; where one of the bits `void` is set, the pixel is void."""

    bits: tuple[int, ...]
    ignored: tuple[int, ...] = ()
    wants_colours: bool = False

    def decode(self, stored: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """One plane a class."""
        values = whole_numbers(largest_channel(stored)).astype(np.int64)
        used = sum(1 << bit for bit in {*self.bits, *self.ignored})
        if not self.ignored and values.max(initial=0) > used | (used - 1):
            raise UnknownValuesError(f"bits above {used.bit_length() - 1}, the last that a class has")
        planes = np.stack([(values >> bit) & 1 for bit in self.bits], axis=2).astype(np.uint8)
        for bit in self.ignored:
            planes[(values >> bit) & 1 == 1] = IGNORE
        return planes


@dataclass(frozen=True)
class ByChannel:
    """One channel a class, counted from 0, foreground above 0; where a channel of `void` is, the pixel is void."""

    channels: tuple[int, ...]
    ignored: tuple[int, ...] = ()
    wants_colours: bool = True

    def decode(self, stored: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """One plane a class."""
        values = stored[:, :, None] if stored.ndim == 2 else stored
        last = max((*self.channels, *self.ignored))
        if last >= values.shape[2]:
            raise UnknownValuesError(f"{values.shape[2]} channels, numbered from 0; a class is to be channel {last}")
        planes = np.stack([values[:, :, channel] > 0 for channel in self.channels], axis=2).astype(np.uint8)
        for channel in self.ignored:
            planes[values[:, :, channel] > 0] = IGNORE
        return planes


@dataclass(frozen=True)
class ByObject:
    """A number for each object, 0 for none; three channels of 8 bits are one number, red + 256 green + 65536 blue."""

    ignored: tuple[int, ...] = ()
    wants_colours: bool = False

    def decode(self, stored: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """One plane: foreground where there is any object."""
        values = self._numbers(stored)
        plane = (values > 0).astype(np.uint8)
        plane[np.isin(values, self.ignored)] = IGNORE
        return plane[:, :, None]

    def objects(self, stored: npt.NDArray[Any]) -> Objects:
        """The objects, numbered from 1 in the order of their numbers in the file."""
        values = self._numbers(stored)
        values[np.isin(values, self.ignored)] = 0
        found, numbers = np.unique(values, return_inverse=True)
        first = 0 if len(found) and found[0] == 0 else 1
        objects: Objects = (numbers.reshape(values.shape) + first).astype(np.int32)
        return objects

    @staticmethod
    def _numbers(stored: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        if stored.ndim == 3 and stored.shape[2] >= 3 and stored.dtype == np.uint8:
            weights = np.array([1, 256, 65536], np.int64)
            coloured: npt.NDArray[np.int64] = stored[:, :, :3].astype(np.int64) @ weights
            return coloured
        return whole_numbers(largest_channel(stored)).astype(np.int64)


def whole_numbers(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Values as whole numbers from 0; of floats those that are whole.

    Raises:
        UnknownValuesError: others.
    """
    if values.dtype.kind == "f":
        whole = values.astype(np.int64) if np.isfinite(values).all() else None
        if whole is None or (whole != values).any():
            raise UnknownValuesError(
                f"pixels of type {values.dtype} that are no whole numbers; expected whole numbers from 0, or "
                "value_ranges that say what they mean"
            )
        values = whole
    if values.dtype.kind not in "bui" or values.min(initial=0) < 0:
        raise UnknownValuesError(f"pixels of type {values.dtype}, or negative ones; expected whole numbers from 0")
    return values


def overlap(ranges: tuple[tuple[float, float], ...]) -> bool:
    """Whether any two ranges share a value."""
    return any(second[0] <= first[1] for first, second in pairwise(sorted(ranges)))


def _packed(colours: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    red, green, blue = (colours[..., place].astype(np.uint32) for place in range(3))
    packed: npt.NDArray[np.uint32] = (red << np.uint32(16)) | (green << np.uint32(8)) | blue
    return packed
