"""Determines how run-length encodings must be read: the pixel order, and absolute or relative starts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.core.arrays import Image, Mask
from toolkit.core.masks.misplaced_masks import COUNTED, border_contrast, border_length, contrast_statistic, is_torn
from toolkit.core.masks.rle import PixelOrder, RleError, decode

_EXAMINED = 60
_SURE = 3.0


@dataclass(frozen=True)
class RleReading:
    """The presumed pixel order and kind of starts.

    Attributes:
        order: the pixel order.
        order_why: the reason for the order.
        order_sure: whether there is any evidence for the order.
        relative: whether starts are relative.
        relative_why: the reason for the kind of starts.
        relative_sure: whether there is any evidence for the kind of starts.
        broken: the number of examined images whose masks cannot be read.
        mask_files: the share of mask files with the same masks, if there are any.
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
class RleSample:
    """The encodings of one image, its size (height, width), and functions that read image and mask file, if any."""

    texts: Sequence[str]
    size: tuple[int, int]
    image: Callable[[], Image] | None = None
    mask: Callable[[], Mask | None] | None = None


def read_order(samples: Sequence[RleSample]) -> RleReading:
    """Try all readings on masks that are not empty.

    Mask files decide, if there are any. Otherwise, masks of images that are not square are torn in the wrong order,
    and masks of square images are transposed, so that they fit the images worse.
    """
    shown = samples[:: max(1, len(samples) // _EXAMINED)]
    relative, why, sure = _starts(shown)
    united = {order: [_united(one, order, relative) for one in shown] for order in COUNTED}
    broken = sum(mask is None for mask in united["column"])
    pairs = [
        (one, down, along)
        for one, down, along in zip(shown, united["column"], united["row"], strict=True)
        if down is not None and along is not None
    ]
    by_files = _by_files(pairs)
    order, order_why, decided = by_files[0] if by_files else _by_borders(pairs)
    return RleReading(order, order_why, decided, relative, why, sure, broken, by_files[1] if by_files else None)


def _starts(samples: Sequence[RleSample]) -> tuple[bool, str, bool]:
    """Whether starts are relative, the reason, and whether there is any evidence."""
    fitting = {
        relative: sum(_united(one, "column", relative) is not None for one in samples) for relative in (False, True)
    }
    count = len(samples)
    counts = (
        f"of {count} images, {fitting[False]} can be read with absolute starts, {fitting[True]} with relative starts"
    )
    relative = fitting[True] > fitting[False]
    return relative, counts, fitting[True] != fitting[False]


def _united(one: RleSample, order: PixelOrder, relative: bool) -> Mask | None:
    mask = np.zeros(one.size, np.bool_)
    try:
        for text in one.texts:
            mask |= decode(text, one.size, order, relative)
    except RleError:
        return None
    return mask


def _by_files(pairs: Sequence[tuple[RleSample, Mask, Mask]]) -> tuple[tuple[PixelOrder, str, bool], float] | None:
    """The order in which masks equal their mask files, if there are any, and the share of equal masks."""
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
    why = (
        f"counted {COUNTED[order]}, {equal[order]} of {count} masks equal their mask files; counted {COUNTED[other]}, "
        f"{equal[other]}"
    )
    return (order, why, True), equal[order] / count


def _by_borders(pairs: Sequence[tuple[RleSample, Mask, Mask]]) -> tuple[PixelOrder, str, bool]:
    """The order in which the borders of masks are shorter, or fit the images better."""
    borders = np.zeros(2, np.int64)
    contrasts = []
    for one, column, row in pairs:
        if one.size[0] != one.size[1]:
            borders += (border_length(column), border_length(row))
        if one.image is not None and column.any() and not column.all():
            image = one.image()
            contrasts.append((border_contrast(image, column), border_contrast(image, row)))
    down, along = borders.tolist()
    if is_torn(max(down, along), max(1, min(down, along))):
        order: PixelOrder = "column" if down < along else "row"
        other: PixelOrder = "row" if order == "column" else "column"
        times = max(down, along) / max(1, min(down, along))
        why = f"counted {COUNTED[other]}, masks are torn: their borders are {times:.1f} times as long"
        return order, why, True
    statistic = contrast_statistic(contrasts)
    if abs(statistic) >= _SURE:
        order = "column" if statistic > 0 else "row"
        why = (
            f"counted {COUNTED[order]}, masks of {len(contrasts)} images fit the edges in the images better, by "
            f"{abs(statistic):.0f} standard errors"
        )
        return order, why, True
    return "column", "no evidence for either order; most competitions count down the columns", False
