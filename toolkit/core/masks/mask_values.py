"""Guessing what the pixel values of mask files mean from the values alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Colour
from toolkit.core.images.chunks import count_values
from toolkit.errors import listing

Code = Literal["empty", "binary", "soft", "index", "coded", "instances", "colours", "unknown"]
"""`binary`: 0 and one other value in each file; `soft`: the same with blurred borders; `index`: consecutive numbers
from 0; `coded`: a few values far apart; `instances`: a number for each object; `colours`: a colour for each class."""

_MOST_VALUES = 64
_MOST_SHADES = 512
_LARGEST_INDEX = 64
_EXTREME = 0.9
_MANY_BETWEEN = 8
_BLURRED = 32
_SHADE = 60  # levels of each channel
_CORE = 16  # levels of each channel
_HALF = 0.5
_FEWEST = 0.002  # of all pixels have a colour that is no accident
_BORDER = 0.5  # of the pixels of the colours on both sides
_TORN = 4.0  # times the components of any other value
_WHOLE = 1.2  # mean components of an object
_LISTED = 20
_IGNORE_CODES = (255, 254, 65535)


@dataclass(frozen=True)
class MaskValues:
    """The values or colours of one mask.

    Attributes:
        values: pixels of each value; only the 64 most frequent values.
        colours: pixels of each colour; only the 512 most frequent colours.
        components: connected components of each value, if they were counted.
        is_complete: whether the mask has at most 64 values or colours.
        pixels: the number of all pixels.
    """

    values: Mapping[int, int] = field(default_factory=dict)
    colours: Mapping[Colour, int] = field(default_factory=dict)
    components: Mapping[int, int] = field(default_factory=dict)
    is_complete: bool = True
    pixels: int = 0


@dataclass(frozen=True)
class MaskReading:
    """The probable meaning of the values of masks.

    Attributes:
        code: how classes are coded.
        values: the values of the classes, background first.
        ignored: the values of ignored pixels.
        colours: the colours of the classes, background first.
        why: the reason, in words.
        other: another plausible reading, in words; empty if there is none.
        has_shades: whether pixels also have shades of the colours, and count as the nearest one.
    """

    code: Code
    values: tuple[int, ...] = ()
    ignored: tuple[int, ...] = ()
    colours: tuple[Colour, ...] = ()
    why: str = ""
    other: str = ""
    has_shades: bool = False


def values_of_mask(raw: npt.NDArray[Any], *, with_components: bool = False) -> MaskValues:
    """Count the values or colours of a mask as stored.

    Args:
        raw: bool or integers, (height, width) or (height, width, channels). An alpha channel and repeated channels are
            left out.
        with_components: also count the connected components of each value.
    """
    plane = raw.astype(np.uint8) if raw.dtype == np.bool_ else raw
    if plane.ndim == 3:
        kept = plane[..., : plane.shape[2] - (plane.shape[2] in (2, 4))]
        if kept.shape[2] == 3 and (kept != kept[..., :1]).any():
            return _of_colours(kept)
        plane = kept[..., 0]
    if plane.dtype == np.uint8:
        every = count_values(plane, 256)
        values = np.flatnonzero(every)
        counts = every[values]
    else:
        values, counts = np.unique(plane, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:_MOST_VALUES]
    found = {int(values[place]): int(counts[place]) for place in order}
    components = {}
    if with_components and len(values) <= _MOST_VALUES:
        components = {value: cv2.connectedComponents((plane == value).astype(np.uint8))[0] - 1 for value in found}
    return MaskValues(values=found, components=components, is_complete=len(values) <= _MOST_VALUES, pixels=plane.size)


def interpret_values(masks: Sequence[MaskValues], named: int = 0) -> MaskReading:
    """Find the meaning of the values that best explains all masks.

    Args:
        masks: the values of each mask.
        named: number of classes besides the background that are known by name; values up to it are taken for them.
    """
    if any(mask.colours for mask in masks):
        return _colour_code(masks)
    counts = _summed([mask.values for mask in masks])
    every = sorted(counts)
    is_complete = all(mask.is_complete for mask in masks)
    positive = [value for value in every if value > 0]
    if is_complete and every and min(every) >= 0 and 1 < max(every) <= named:
        why = f"masks hold {_listed(every)}: a background and {named} classes"
        return MaskReading("index", tuple(range(named + 1)), why=why)
    if is_complete and not positive:
        return MaskReading("empty", (0,), why="all masks hold only 0")
    if is_complete and all(len([value for value in mask.values if value]) < 2 for mask in masks) and _is_binary(masks):
        values = " or ".join(map(str, positive))
        return MaskReading(
            "binary", (0, positive[-1]), why=f"masks hold 0 and {values}, at most two values in each file"
        )
    return _several_values(masks, counts, every)


def _several_values(masks: Sequence[MaskValues], counts: Mapping[int, int], every: Sequence[int]) -> MaskReading:
    is_complete = all(mask.is_complete for mask in masks)
    if is_complete and min(every) >= 0 and _are_instances(masks):
        why = f"files hold the numbers 1, 2, … up to {every[-1]}, one component each, and different counts of them"
        return MaskReading("instances", why=why, other="index masks, in which each number is a class")
    if is_complete and len(every) <= _MOST_VALUES and not _is_soft(counts):
        return _few_values(masks, every)
    return _many_values(counts)


def _of_colours(pixels: npt.NDArray[Any]) -> MaskValues:
    flat = pixels.reshape(-1, 3).astype(np.int64)
    codes, counts = np.unique(flat @ np.array([1 << 32, 1 << 16, 1]), return_counts=True)
    order = np.argsort(-counts, kind="stable")[:_MOST_SHADES]
    colours = {_colour(int(codes[place])): int(counts[place]) for place in order}
    return MaskValues(colours=colours, is_complete=len(codes) <= _MOST_VALUES, pixels=len(flat))


def _colour(code: int) -> Colour:
    return code >> 32, code >> 16 & 0xFFFF, code & 0xFFFF


def _colour_code(masks: Sequence[MaskValues]) -> MaskReading:
    greys = [{(value, value, value): count for value, count in mask.values.items()} for mask in masks]
    counts = _summed([*(mask.colours for mask in masks), *greys])
    if len(counts) > _MOST_VALUES or not all(mask.is_complete for mask in masks):
        pure = _pure_colours(counts, sum(mask.pixels for mask in masks))
        if set(pure) == {(0, 0, 0), (255, 255, 255)}:
            why = "masks are black and white with shades in between, in files with three channels"
            return MaskReading("soft", (0, 255), why=why)
        if pure:
            why = f"masks have {len(pure)} colours, and shades of them as lossy compression makes"
            return MaskReading("colours", colours=pure, why=why, has_shades=True)
        why = f"masks have more than {_MOST_VALUES} colours: they may be drawn over images or saved as JPEG"
        return MaskReading("unknown", why=why)
    ordered = sorted(counts, key=lambda colour: (sum(colour) > 0, -counts[colour]))
    return MaskReading("colours", colours=tuple(ordered), why=f"masks have {len(ordered)} colours")


def _pure_colours(counts: Mapping[Colour, int], pixels: int) -> tuple[Colour, ...]:
    """The colours whose shades make up nearly all pixels, black first, then the most frequent; empty if none do.

    A rare colour between two frequent ones is their border, not a colour of its own.
    """
    colours = np.array(sorted(counts, key=lambda colour: -counts[colour]), np.int64)
    weights = np.array([counts[_triple(colour)] for colour in colours])
    left = np.ones(len(colours), np.bool_)
    groups: list[tuple[npt.NDArray[Any], int, bool]] = []
    while left.any():
        first = colours[np.argmax(left)]
        away = np.abs(colours - first).max(axis=1)
        weight, core = (int(weights[left & (away <= far)].sum()) for far in (_SHADE, _CORE))
        groups.append((first, weight, core >= _HALF * weight))
        left &= away > _SHADE
    groups = sorted((one for one in groups if one[1] >= _FEWEST * pixels), key=lambda one: -one[1])
    pure: list[tuple[npt.NDArray[Any], int]] = []
    covered = 0
    for colour, weight, is_dense in groups:
        strong = [other for other, count in pure if weight < _BORDER * count]
        is_border = any(_is_between(colour, one, other) for one, other in combinations(strong, 2))
        pure += [(colour, weight)] if is_dense and not is_border else []
        covered += weight if is_dense or is_border else 0
    if len(pure) < 2 or covered < _EXTREME * pixels:
        return ()
    return tuple(sorted((_triple(colour) for colour, _ in pure), key=lambda colour: sum(colour) > 0))


def _is_between(colour: npt.NDArray[Any], one: npt.NDArray[Any], other: npt.NDArray[Any]) -> bool:
    """Whether a colour is near a mixture of two others."""
    line = other - one
    share = float(np.clip((colour - one) @ line / max(1, line @ line), 0, 1))
    return bool(np.abs(one + share * line - colour).max() <= _SHADE)


def _triple(colour: npt.NDArray[Any]) -> Colour:
    red, green, blue = map(int, colour)
    return red, green, blue


def _is_binary(masks: Sequence[MaskValues]) -> bool:
    """Whether the value above 0 is the same in all files, or the largest one of 1, 8 or 16 bits."""
    positive = {value for mask in masks for value in mask.values if value}
    return len(positive) == 1 or positive <= {1, 255, 65535}


def _are_instances(masks: Sequence[MaskValues]) -> bool:
    """Whether files number their objects 1, 2, …, each of one component, with different counts."""
    numbered = [mask for mask in masks if max(mask.values, default=0) > 0]
    counted = [mask for mask in numbered if mask.components]
    if len(numbered) < 2 or not counted:
        return False
    for mask in numbered:
        positive = sorted(value for value in mask.values if value)
        if positive != list(range(1, len(positive) + 1)):
            return False
    largest = [max(mask.values) for mask in numbered]
    components = [count for mask in counted for value, count in mask.components.items() if value]
    return max(largest) > 2 and len(set(largest)) > 1 and float(np.mean(components)) <= _WHOLE


def _few_values(masks: Sequence[MaskValues], every: Sequence[int]) -> MaskReading:
    ignored = tuple(value for value in every if value in _IGNORE_CODES and len(every) > 2)
    classes = [value for value in every if value not in ignored]
    told = f"masks hold {_listed(every)}"
    if classes[-1] > _LARGEST_INDEX:
        return MaskReading("coded", tuple(every), why=f"{told}: few values, far apart")
    if classes[-1] - classes[0] > 2 * len(classes):
        return MaskReading("coded", tuple(classes), ignored, why=f"{told}: few values with gaps")
    if ignored:
        why = f"{told}; {_listed(ignored)} is far above the class numbers, so it is read as ignored"
        other = f"{_listed(ignored)} is one more class"
        return MaskReading("index", tuple(classes), ignored, why=why, other=other)
    torn = _torn_value(masks, classes)
    if torn is not None:
        components, others = torn
        why = (
            f"{told}; {classes[-1]}, the largest, has {components:.0f} components an image where other values have at "
            f"most {others:.0f}, which is typical of borders and leftovers, so it is read as ignored"
        )
        other = f"{classes[-1]} is one more class"
        return MaskReading("index", tuple(classes[:-1]), (classes[-1],), why=why, other=other)
    return MaskReading("index", tuple(classes), why=told)


def _torn_value(masks: Sequence[MaskValues], classes: Sequence[int]) -> tuple[float, float] | None:
    """Mean components of the largest value in an image and the most of any other value, if those are far fewer."""
    if len(classes) < 4:
        return None
    means = {}
    for value in classes:
        counts = [mask.components[value] for mask in masks if value in mask.components]
        means[value] = float(np.mean(counts)) if counts else 0.0
    largest, others = means[classes[-1]], max(means[value] for value in classes[:-1])
    return (largest, others) if largest >= _TORN * max(1.0, others) else None


def _many_values(counts: Mapping[int, int]) -> MaskReading:
    told = f"masks hold at least {len(counts)} values, up to {max(counts)}"
    if _is_soft(counts):
        top = _white(counts)
        share = f"{_share_of_extremes(counts):.1%}"
        why = f"{told}; {share} of the pixels are near 0 or {top}: foreground with blurred borders"
        return MaskReading("soft", (0, top), why=why)
    return MaskReading("unknown", why=f"{told}, evenly used: these look like images, not masks")


def _is_soft(counts: Mapping[int, int]) -> bool:
    """Whether nearly all pixels are black or white, and the others have many values in between."""
    top = _white(counts)
    between = [value for value in counts if _near(top) <= value <= top - _near(top)]
    return len(between) >= _MANY_BETWEEN and _share_of_extremes(counts) >= _EXTREME


def _share_of_extremes(counts: Mapping[int, int]) -> float:
    top = _white(counts)
    extreme = sum(count for value, count in counts.items() if not _near(top) <= value <= top - _near(top))
    return extreme / sum(counts.values())


def _near(top: int) -> int:
    return _BLURRED * (top + 1) // 256


def _white(counts: Mapping[int, int]) -> int:
    return 255 if max(counts) < 256 else 65535


def _summed(counted: Sequence[Mapping[Any, int]]) -> dict[Any, int]:
    total: dict[Any, int] = {}
    for counts in counted:
        for value, count in counts.items():
            total[value] = total.get(value, 0) + count
    return total


def _listed(values: Sequence[int]) -> str:
    if len(values) > 3 and list(values) == list(range(values[0], values[-1] + 1)):
        return f"{values[0]} to {values[-1]}"
    return listing(values, _LISTED)
