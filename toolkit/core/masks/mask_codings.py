"""The ways in which masks code classes: values, colours, ranges of values, bits, channels or objects.

A coding turns the stored pixels of a mask, (height, width) or (height, width, channels), into the form that `Classes`
reads: numbers `(height, width)`, or planes `uint8 (height, width, classes)` of 0, 1 and, in ignored pixels, 255.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Colour, Objects
from toolkit.core.images.value_range import largest_channel
from toolkit.core.masks.labels import IGNORE, UnknownValuesError, check_whole_numbers
from toolkit.errors import listing

_LISTED = 10
_MOST_PLANES = 64
_OTHER_ALPHA = 0.02
_OTHER_COLOURS = (
    "Compare the colours in data.colors with those in the files, and add a class for each that is missing. If the "
    "others are shades of these, as in files that once were JPEG: data.nearest_color: true"
)


class Coding(Protocol):
    """A way to decode masks."""

    @property
    def wants_colours(self) -> bool:
        """Whether it takes the colours of a palette image rather than its indices."""

    def decode(self, stored: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Turn stored pixels into numbers or planes.

        Raises:
            UnknownValuesError: some pixels belong to no class.
        """


@dataclass(frozen=True)
class ByValue:
    """One value for each class, the largest one of several channels; `Classes` assigns values to classes."""

    wants_colours: bool = False

    def decode(self, stored: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The values, bool or whole numbers (height, width)."""
        return whole_numbers(largest_channel(stored))


@dataclass(frozen=True)
class ByColour:
    """One colour for each class: the first becomes 1, the second 2, …; other colours are rejected.

    With `black_is_background`, black becomes 0 unless it is a class; with `rest_is_background`, every other colour
    does. With `takes_nearest`, each pixel has the nearest of the colours and, if it is none of them and background, of
    black: the one with the smallest sum of squared differences, the first one if several are as near. `names` are the
    names of the colours.
    """

    colours: tuple[Colour, ...]
    names: tuple[str, ...]
    rest_is_background: bool = False
    black_is_background: bool = False
    takes_nearest: bool = False
    wants_colours: bool = True

    def decode(self, stored: npt.NDArray[Any]) -> npt.NDArray[np.uint16]:
        """The number of each pixel's colour, `uint16 (height, width)`."""
        if stored.dtype not in (np.uint8, np.bool_):
            raise UnknownValuesError(f"pixels of type {stored.dtype}; expected colours with 8 bits in each channel")
        values = stored * np.uint8(255) if stored.dtype == np.bool_ else stored
        if values.ndim == 2 or values.shape[2] < 3:
            values = np.repeat(values.reshape(*values.shape[:2], -1)[:, :, :1], 3, axis=2)
        if self.takes_nearest:
            return self._nearest(values[:, :, :3])
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

    def _nearest(self, values: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint16]:
        found, places = np.unique(_packed(values), return_inverse=True)
        colours = np.stack([found >> 16, found >> 8 & 255, found & 255], axis=1).astype(np.int64)
        known = [*self.colours, *([] if (0, 0, 0) in self.colours else [(0, 0, 0)] * self._has_background)]
        squares = [((colours - np.array(colour)) ** 2).sum(axis=1) for colour in known]
        numbers = np.argmin(squares, axis=0) + 1
        numbers[numbers > len(self.colours)] = 0
        nearest: npt.NDArray[np.uint16] = numbers.astype(np.uint16)[places.reshape(values.shape[:2])]
        return nearest

    @property
    def _has_background(self) -> bool:
        return self.rest_is_background or self.black_is_background

    def _refuse(self, packed: npt.NDArray[np.uint32]) -> None:
        found, counts = np.unique(packed, return_counts=True)
        if len(found):
            common = np.argsort(-counts)
            unknown = listing((f"#{found[place]:06x} ({counts[place]} pixels)" for place in common), _LISTED)
            expected = ", ".join(
                f"{name}: #{red:02x}{green:02x}{blue:02x}"
                for name, (red, green, blue) in zip(self.names, self.colours, strict=True)
            )
            raise UnknownValuesError(
                f"colours that no class has: {unknown}; expected {expected}", advice=_OTHER_COLOURS
            )


@dataclass(frozen=True)
class ByRange:
    """Ranges of values, both ends included: the first becomes 1, the second 2, …; values outside all become 0.

    Overlapping ranges become planes, one for each. Values in `ignored` become the number after the last class, or 255
    in the planes. The largest value of several channels counts.
    """

    ranges: tuple[tuple[float, float], ...]
    ignored: tuple[tuple[float, float], ...] = ()
    wants_colours: bool = True

    def decode(self, stored: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The number of each pixel's range, `uint8 (height, width)`, or planes."""
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
    """One bit for each class, counted from 0; a pixel with one of the bits `ignored` is ignored."""

    bits: tuple[int, ...]
    ignored: tuple[int, ...] = ()
    wants_colours: bool = False

    def decode(self, stored: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """One plane for each class."""
        values = whole_numbers(largest_channel(stored)).astype(np.int64)
        used = sum(1 << bit for bit in {*self.bits, *self.ignored})
        if not self.ignored and values.max(initial=0) > used | (used - 1):
            raise UnknownValuesError(f"bits above {used.bit_length() - 1}, the last bit of a class")
        planes = np.stack([(values >> bit) & 1 for bit in self.bits], axis=2).astype(np.uint8)
        for bit in self.ignored:
            planes[(values >> bit) & 1 == 1] = IGNORE
        return planes


@dataclass(frozen=True)
class ByChannel:
    """One channel for each class, counted from 0; foreground and, in channels `ignored`, ignored pixels are above 0."""

    channels: tuple[int, ...]
    ignored: tuple[int, ...] = ()
    wants_colours: bool = True

    def decode(self, stored: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """One plane for each class."""
        values = stored[:, :, None] if stored.ndim == 2 else stored
        last = max((*self.channels, *self.ignored))
        if last >= values.shape[2]:
            raise UnknownValuesError(f"no channel {last} (numbered from 0): the mask has {values.shape[2]} channels")
        planes = np.stack([values[:, :, channel] > 0 for channel in self.channels], axis=2).astype(np.uint8)
        for channel in self.ignored:
            planes[values[:, :, channel] > 0] = IGNORE
        return planes


def class_planes(stored: npt.NDArray[Any]) -> tuple[int, bool]:
    """The number of channels if each may be a class, else 0; and whether exactly one is set in each pixel.

    Such channels hold only 0 and 1. Three may be colours. Two, or four that overlap, may be grey or colours with an
    alpha channel: two must exclude each other, and of four the first three must differ and the last must not be full.

    Args:
        stored: bool or numbers, (height, width) or (height, width, channels).
    """
    count = stored.shape[2] if stored.ndim == 3 else 0
    if count not in (2, *range(4, _MOST_PLANES + 1)) or not ((stored == 0) | (stored == 1)).all():
        return 0, False
    if bool((stored.sum(axis=2, dtype=np.int64) == 1).all()):
        return count, True
    is_picture = bool((stored[..., :3] == stored[..., :1]).all()) or (count == 4 and bool(stored[..., 3].all()))
    return (0 if count == 2 or is_picture else count), False


def alpha_tells_more(pixels: npt.NDArray[Any]) -> bool:
    """Whether alpha, the last channel, hides other pixels than those that are black."""
    shown = pixels[..., -1] > 0
    if shown.all() or not shown.any():
        return False
    differ = np.count_nonzero(shown != (pixels[..., :-1] > 0).any(axis=2))
    return bool(differ > _OTHER_ALPHA * min(shown.sum(), shown.size - shown.sum()))


@dataclass(frozen=True)
class ByObject:
    """A number for each object, 0 for none; three channels of 8 bits give red + 256 · green + 65536 · blue."""

    ignored: tuple[int, ...] = ()
    wants_colours: bool = False

    def decode(self, stored: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """One plane, foreground in any object."""
        values = self._numbers(stored)
        plane = (values > 0).astype(np.uint8)
        plane[np.isin(values, self.ignored)] = IGNORE
        return plane[:, :, None]

    def objects(self, stored: npt.NDArray[Any]) -> Objects:
        """The objects, renumbered from 1 in the order of their numbers in the file."""
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
    """Check that values are whole numbers of at least 0, converting floats.

    Raises:
        UnknownValuesError: some values are negative or not whole.
    """
    if values.dtype.kind == "f":
        whole = values.astype(np.int64) if np.isfinite(values).all() else None
        if whole is None or (whole != values).any():
            raise UnknownValuesError(
                f"pixels of type {values.dtype} that are not whole numbers; expected whole numbers of at least 0, or "
                "data: value_ranges that assign values to classes"
            )
        values = whole
    check_whole_numbers(values)
    return values


def overlap(ranges: tuple[tuple[float, float], ...]) -> bool:
    """Whether any two ranges share a value."""
    return any(second[0] <= first[1] for first, second in pairwise(sorted(ranges)))


def _packed(colours: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    red, green, blue = (colours[..., place].astype(np.uint32) for place in range(3))
    packed: npt.NDArray[np.uint32] = (red << np.uint32(16)) | (green << np.uint32(8)) | blue
    return packed
