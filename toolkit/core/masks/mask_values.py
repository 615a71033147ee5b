"""What the pixel values of mask files mean, as far as the values themselves tell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

Code = Literal["empty", "binary", "soft", "index", "coded", "instances", "colours", "unknown"]
"""`binary`: 0 and one more value in each file; `soft`: the same with blurred borders; `index`: whole numbers from 0 on;
`coded`: a few values far apart; `instances`: a number for each object; `colours`: a colour for each class."""

Colour = tuple[int, int, int]

_MANY = 64
_LARGEST_INDEX = 64
_EXTREME = 0.9
_MANY_BETWEEN = 8
_BLURRED = 32
_PIECES = 4.0
_WHOLE = 1.2
_IGNORE_CODES = (255, 254, 65535)


@dataclass(frozen=True)
class MaskLook:
    """One mask: how many pixels have each value or colour, and in how many pieces each value falls.

    Of more than 64 values or colours only those that are most frequent; `is_whole` tells whether that is all.
    """

    values: Mapping[int, int] = field(default_factory=dict)
    colours: Mapping[Colour, int] = field(default_factory=dict)
    pieces: Mapping[int, int] = field(default_factory=dict)
    is_whole: bool = True


@dataclass(frozen=True)
class MaskReading:
    """What masks hold: the values of the classes from the background on, those that are void, and why.

    `other` is a second reading, in words, where there is one.
    """

    code: Code
    values: tuple[int, ...] = ()
    ignored: tuple[int, ...] = ()
    colours: tuple[Colour, ...] = ()
    why: str = ""
    other: str = ""


def look_at_mask(raw: npt.NDArray[Any], *, with_pieces: bool = False) -> MaskLook:
    """Count the values of a mask as it is stored, (height, width) or (height, width, channels).

    Args:
        raw: bool or whole numbers; an alpha channel and channels that are all the same are left out.
        with_pieces: count the connected pieces of each value too.
    """
    plane = raw.astype(np.uint8) if raw.dtype == np.bool_ else raw
    if plane.ndim == 3:
        kept = plane[..., : plane.shape[2] - (plane.shape[2] in (2, 4))]
        if kept.shape[2] == 3 and (kept != kept[..., :1]).any():
            return _of_colours(kept)
        plane = kept[..., 0]
    values, counts = np.unique(plane, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:_MANY]
    found = {int(values[place]): int(counts[place]) for place in order}
    pieces = {}
    if with_pieces and len(values) <= _MANY:
        pieces = {value: cv2.connectedComponents((plane == value).astype(np.uint8))[0] - 1 for value in found}
    return MaskLook(values=found, pieces=pieces, is_whole=len(values) <= _MANY)


def read_codes(looks: Sequence[MaskLook], named: int = 0) -> MaskReading:
    """What masks mean, all of them together.

    Args:
        looks: at each mask.
        named: how many classes besides the background something else names; numbers up to it are taken for these.
    """
    if any(look.colours for look in looks):
        return _colour_code(looks)
    counts = _summed([look.values for look in looks])
    every = sorted(counts)
    is_whole = all(look.is_whole for look in looks)
    positive = [value for value in every if value > 0]
    if is_whole and every and min(every) >= 0 and 1 < max(every) <= named:
        why = f"masks hold {_listed(every)}, which number a background and {named} classes"
        return MaskReading("index", tuple(range(named + 1)), why=why)
    if is_whole and not positive:
        return MaskReading("empty", (0,), why="no mask has any value but 0")
    if is_whole and all(len([value for value in look.values if value]) < 2 for look in looks) and _is_binary(looks):
        told = " or ".join(map(str, positive))
        return MaskReading("binary", (0, positive[-1]), why=f"masks hold 0 and {told}, never two of these in one file")
    return _several_values(looks, counts, every)


def _several_values(looks: Sequence[MaskLook], counts: Mapping[int, int], every: Sequence[int]) -> MaskReading:
    is_whole = all(look.is_whole for look in looks)
    if is_whole and min(every) >= 0 and _are_instances(looks):
        why = f"files number 1, 2, … up to {every[-1]}, each number one piece, and have different counts of them"
        return MaskReading("instances", why=why, other="index masks of as many classes")
    if is_whole and len(every) <= _MANY and not _is_soft(counts):
        return _few_values(looks, every)
    return _many_values(counts)


def _of_colours(pixels: npt.NDArray[Any]) -> MaskLook:
    flat = pixels.reshape(-1, 3).astype(np.int64)
    codes, counts = np.unique(flat @ np.array([1 << 32, 1 << 16, 1]), return_counts=True)
    order = np.argsort(-counts, kind="stable")[:_MANY]
    colours = {_colour(int(codes[place])): int(counts[place]) for place in order}
    return MaskLook(colours=colours, is_whole=len(codes) <= _MANY)


def _colour(code: int) -> Colour:
    return code >> 32, code >> 16 & 0xFFFF, code & 0xFFFF


def _colour_code(looks: Sequence[MaskLook]) -> MaskReading:
    greys = [{(value, value, value): count for value, count in look.values.items()} for look in looks]
    counts = _summed([*(look.colours for look in looks), *greys])
    if len(counts) > _MANY or not all(look.is_whole for look in looks):
        why = f"masks have colours, more than {_MANY} of them: they may be drawn over images or saved as JPEG"
        return MaskReading("unknown", why=why)
    ordered = sorted(counts, key=lambda colour: (sum(colour) > 0, -counts[colour]))
    return MaskReading("colours", colours=tuple(ordered), why=f"masks have {len(ordered)} colours")


def _is_binary(looks: Sequence[MaskLook]) -> bool:
    """One value a file above 0: the same, or the largest of 1, 8 or 16 bits."""
    positive = {value for look in looks for value in look.values if value}
    return len(positive) == 1 or positive <= {1, 255, 65535}


def _are_instances(looks: Sequence[MaskLook]) -> bool:
    """Whether files number their objects: 1, 2, …, each one piece, and not the same count in each."""
    numbered = [look for look in looks if max(look.values, default=0) > 0]
    counted = [look for look in numbered if look.pieces]
    if len(numbered) < 2 or not counted:
        return False
    for look in numbered:
        positive = sorted(value for value in look.values if value)
        if positive != list(range(1, len(positive) + 1)):
            return False
    largest = [max(look.values) for look in numbered]
    pieces = [count for look in counted for value, count in look.pieces.items() if value]
    return max(largest) > 2 and len(set(largest)) > 1 and float(np.mean(pieces)) <= _WHOLE


def _few_values(looks: Sequence[MaskLook], every: Sequence[int]) -> MaskReading:
    ignored = tuple(value for value in every if value in _IGNORE_CODES and len(every) > 2)
    classes = [value for value in every if value not in ignored]
    told = f"masks hold {_listed(every)}"
    if classes[-1] > _LARGEST_INDEX:
        return MaskReading("coded", tuple(every), why=f"{told}: few values, far apart")
    if classes[-1] - classes[0] > 2 * len(classes):
        return MaskReading("coded", tuple(classes), ignored, why=f"{told}: few values with gaps")
    if ignored:
        why = f"{told}; {_listed(ignored)}, which no class of so few would have, is read as void"
        other = f"{_listed(ignored)} is one more class"
        return MaskReading("index", tuple(classes), ignored, why=why, other=other)
    torn = _torn_value(looks, classes)
    if torn is not None:
        pieces, others = torn
        why = (
            f"{told}; {classes[-1]}, the largest, falls into {pieces:.0f} pieces an image where others have at most "
            f"{others:.0f}, as borders and leftovers do: it is read as void"
        )
        other = f"{classes[-1]} is one more class"
        return MaskReading("index", tuple(classes[:-1]), (classes[-1],), why=why, other=other)
    return MaskReading("index", tuple(classes), why=told)


def _torn_value(looks: Sequence[MaskLook], classes: Sequence[int]) -> tuple[float, float] | None:
    """Mean pieces an image of the largest value and the most of any other, if those are far fewer."""
    if len(classes) < 4:
        return None
    means = {}
    for value in classes:
        pieces = [look.pieces[value] for look in looks if value in look.pieces]
        means[value] = float(np.mean(pieces)) if pieces else 0.0
    largest, others = means[classes[-1]], max(means[value] for value in classes[:-1])
    return (largest, others) if largest >= _PIECES * max(1.0, others) else None


def _many_values(counts: Mapping[int, int]) -> MaskReading:
    told = f"masks hold {len(counts)} values or more up to {max(counts)}"
    if _is_soft(counts):
        top = _white(counts)
        why = f"{told}, {_share_of_extremes(counts):.1%} of the pixels near 0 or {top}: foreground with blurred borders"
        return MaskReading("soft", (0, top), why=why)
    return MaskReading("unknown", why=f"{told}, spread over all of them: these look like images, not masks")


def _is_soft(counts: Mapping[int, int]) -> bool:
    """Whether values are black, white, and many in between that hardly any pixel has."""
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
    return ", ".join(map(str, values[:20])) + (", …" if len(values) > 20 else "")
