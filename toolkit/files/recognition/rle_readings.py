"""How run-length encodings are to be read, as far as evidence tells: the order of pixels, absolute or relative."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.core.arrays import Image, Mask
from toolkit.core.masks.pixel_order import border_contrast, border_length, contrast_t_statistic
from toolkit.core.masks.rle import PixelOrder, RleError, decode

_LOOKED_AT = 60
_TORN = 1.3
_SURE = 3.0
_WAYS: Mapping[PixelOrder, str] = {"column": "down the columns", "row": "along the rows"}


@dataclass(frozen=True)
class RleReading:
    """The order and kind of starts with what speaks for them; `sure` and `relative_sure` tell whether anything does.

    `mask_files` is the share of mask files that hold the same masks, where there are any.
    """

    order: PixelOrder
    order_why: str
    order_sure: bool
    relative: bool
    relative_why: str
    relative_sure: bool
    broken: int
    mask_files: float | None = None


@dataclass(frozen=True)
class Labelled:
    """The texts of one image with its size (height, width), and what reads image and mask file where there is one."""

    texts: Sequence[str]
    size: tuple[int, int]
    image: Callable[[], Image] | None = None
    mask: Callable[[], Mask | None] | None = None


def read_order(samples: Sequence[Labelled]) -> RleReading:
    """Try all readings on masks that are not empty.

    Where mask files hold the same, they decide. Else masks of images that are not square are torn in the wrong order;
    those of square ones stand transposed and fit their images worse.
    """
    shown = samples[:: max(1, len(samples) // _LOOKED_AT)]
    relative, why, sure = _starts(shown)
    united = {order: [_united(one, order, relative) for one in shown] for order in _WAYS}
    broken = sum(mask is None for mask in united["column"])
    pairs = [
        (one, down, along)
        for one, down, along in zip(shown, united["column"], united["row"], strict=True)
        if down is not None and along is not None
    ]
    by_files = _by_files(pairs)
    order, told, decided = by_files[0] if by_files else _by_traces(pairs)
    return RleReading(order, told, decided, relative, why, sure, broken, by_files[1] if by_files else None)


def _starts(samples: Sequence[Labelled]) -> tuple[bool, str, bool]:
    """Whether starts are relative, why, and whether that is sure."""
    fitting = {
        relative: sum(_united(one, "column", relative) is not None for one in samples) for relative in (False, True)
    }
    count = len(samples)
    told = f"{fitting[False]} of {count} images can be read so, {fitting[True]} with relative starts"
    if fitting[True] > fitting[False]:
        return True, f"{fitting[True]} of {count} images can be read so, {fitting[False]} with absolute starts", True
    return False, told, fitting[False] > fitting[True]


def _united(one: Labelled, order: PixelOrder, relative: bool) -> Mask | None:
    mask = np.zeros(one.size, np.bool_)
    try:
        for text in one.texts:
            mask |= decode(text, one.size, order, relative)
    except RleError:
        return None
    return mask


def _by_files(pairs: Sequence[tuple[Labelled, Mask, Mask]]) -> tuple[tuple[PixelOrder, str, bool], float] | None:
    """What mask files say, if there are any of the same size."""
    equal = {"column": 0, "row": 0}
    count = 0
    for one, column, row in pairs:
        drawn = one.mask() if one.mask is not None else None
        if drawn is None or drawn.shape != column.shape:
            continue
        count += 1
        equal["column"] += bool((drawn == column).all())
        equal["row"] += bool((drawn == row).all())
    if not count or equal["column"] == equal["row"]:
        return None
    order: PixelOrder = "column" if equal["column"] > equal["row"] else "row"
    other: PixelOrder = "row" if order == "column" else "column"
    told = f"{_WAYS[order]} {equal[order]} of {count} masks equal their mask files, {_WAYS[other]} {equal[other]}"
    return (order, told, True), equal[order] / count


def _by_traces(pairs: Sequence[tuple[Labelled, Mask, Mask]]) -> tuple[PixelOrder, str, bool]:
    borders = np.zeros(2, np.int64)
    contrasts = []
    for one, column, row in pairs:
        if one.size[0] != one.size[1]:
            borders += (border_length(column), border_length(row))
        if one.image is not None and column.any() and not column.all():
            image = one.image()
            contrasts.append((border_contrast(image, column), border_contrast(image, row)))
    down, along = borders.tolist()
    if max(down, along) > _TORN * min(down, along):
        order: PixelOrder = "column" if down < along else "row"
        other: PixelOrder = "row" if order == "column" else "column"
        times = max(down, along) / max(1, min(down, along))
        told = f"{_WAYS[order]} masks are whole; {_WAYS[other]} they are torn: borders {times:.1f} times as long"
        return order, told, True
    surely = contrast_t_statistic(contrasts)
    if abs(surely) >= _SURE:
        order = "column" if surely > 0 else "row"
        told = (
            f"counted {_WAYS[order]}, borders of masks lie where {len(contrasts)} images change, "
            f"by {abs(surely):.0f} standard errors"
        )
        return order, told, True
    return "column", "nothing tells the order apart; most competitions count down the columns", False
