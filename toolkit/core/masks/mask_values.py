"""Guessing what the pixel values of mask files mean from the values alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Colour
from toolkit.core.images.chunks import count_values
from toolkit.core.masks.grey_levels import background_of, grey_levels, is_soft, near_black, share_of_extremes, white_of
from toolkit.core.masks.mask_codings import alpha_tells_more, class_planes
from toolkit.core.masks.misplaced_masks import are_alike, place_of
from toolkit.core.masks.numbered_objects import (
    Numbers,
    are_whole,
    numbered_background,
    pieces_of,
    torn_value,
    why_objects,
)
from toolkit.core.masks.pure_colours import pure_colours
from toolkit.errors import counted, listing

_OfValues = Literal["empty", "binary", "soft", "levels", "index", "coded", "instances"]
Code = Literal[_OfValues, "colours", "alpha", "one_hot", "planes", "unknown"]
"""`binary`: 0 and one other value in each file; `soft`: the same with blurred borders; `levels`: several grey levels
with values around them; `index`: consecutive numbers from 0; `coded`: a few values far apart; `instances`: a number for
each object; `colours`: a colour for each class; `alpha`: the alpha channel is the mask; `one_hot`: a channel for each
class, one of them set in each pixel; `planes`: a channel for each class, which may overlap."""

_MOST_VALUES = 64
_MOST_SHADES = 512
_LARGEST_INDEX = 64
_PURE = 0.98
_SCATTERED = 24
_FREQUENT = 8
_LISTED = 20
_IGNORE_CODES = (255, 254, 65535)


@dataclass(frozen=True)
class MaskValues:
    """The values or colours of one mask.

    Attributes:
        values: pixels of each value; only the 64 most frequent values.
        colours: pixels of each colour; only the 512 most frequent colours.
        components: connected components of each value, if they were counted.
        is_complete: whether the mask has no other values or colours.
        distinct: how many values above 0, or colours other than black, there are in all.
        largest: the largest value; of colours, a number above all of them.
        pieces: the connected components of these values or colours; 0 if they were not counted.
        frame: pixels of each value in the outermost rows and columns.
        pure: the share of pixels that are nearly black or nearly white, 0–1; only of colours.
        alpha: the alpha channel, counted from 0, if it tells other pixels apart than the colours do; otherwise -1.
        is_whole: whether all values are whole numbers.
        place: where values are above 0, or colours not black; see `place_of`.
        pixels: the number of all pixels.
        planes: the number of channels, if each may be a class; see `class_planes`. The values are then the numbers of
            the channels if one is set in each pixel; otherwise 1 where any is set.
        is_one_hot: whether exactly one of these channels is set in each pixel.
    """

    values: Mapping[int, int] = field(default_factory=dict)
    colours: Mapping[Colour, int] = field(default_factory=dict)
    components: Mapping[int, int] = field(default_factory=dict)
    is_complete: bool = True
    distinct: int = 0
    largest: int = 0
    pieces: int = 0
    frame: Mapping[int, int] = field(default_factory=dict)
    pure: float = 0.0
    alpha: int = -1
    is_whole: bool = True
    place: str = ""
    pixels: int = 0
    planes: int = 0
    is_one_hot: bool = False


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
        alike: whether foreground is in nearly the same place in all masks, so that it is hardly a label.
        has_shades: whether pixels also have shades of the colours, and count as the nearest one.
    """

    code: Code
    values: tuple[int, ...] = ()
    ignored: tuple[int, ...] = ()
    colours: tuple[Colour, ...] = ()
    why: str = ""
    other: str = ""
    alike: bool = False
    has_shades: bool = False


def values_of_mask(raw: npt.NDArray[Any], *, with_components: bool = False) -> MaskValues:
    """Count the values or colours of a mask as stored.

    Args:
        raw: bool or integers, (height, width) or (height, width, channels). An alpha channel and repeated channels are
            left out.
        with_components: also count the connected components of each value.
    """
    plane = raw.astype(np.uint8) if raw.dtype == np.bool_ else raw
    alpha = -1
    planes, is_one_hot = class_planes(plane)
    if planes:
        plane = np.asarray(plane.argmax(axis=2) if is_one_hot else plane.any(axis=2)).astype(np.uint8)
    if plane.ndim == 3:
        kept = plane[..., : plane.shape[2] - (plane.shape[2] in (2, 4))]
        alpha = kept.shape[2] if kept.shape[2] < plane.shape[2] and alpha_tells_more(plane) else -1
        if kept.shape[2] == 3 and (kept != kept[..., :1]).any():
            return _of_colours(kept, alpha, with_components=with_components)
        plane = kept[..., 0]
    is_whole = plane.dtype.kind != "f" or bool((plane == np.rint(plane)).all())
    if plane.dtype.kind == "f":
        plane = np.rint(plane).astype(np.int64)
    if plane.dtype == np.uint8:
        every = count_values(plane, 256)
        values = np.flatnonzero(every)
        counts = every[values]
    else:
        values, counts = np.unique(plane, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:_MOST_VALUES]
    found = {int(values[place]): int(counts[place]) for place in order}
    pieces = pieces_of(plane, values.astype(np.int64)) if with_components else {}
    edges = np.concatenate([plane[[0, -1]].ravel(), plane[1:-1, [0, -1]].ravel()])
    are_few = len(values) <= _MOST_VALUES or plane.dtype == np.uint8
    framed, of_frame = np.unique(edges, return_counts=True) if are_few else ((), ())
    return MaskValues(
        values=found,
        components={value: pieces[value] for value in found if value in pieces},
        is_complete=len(values) <= _MOST_VALUES,
        distinct=int((values > 0).sum()),
        largest=int(values.max(initial=0)),
        pieces=sum(count for value, count in pieces.items() if value > 0),
        frame={int(value): int(count) for value, count in zip(framed, of_frame, strict=True)},
        alpha=alpha,
        is_whole=is_whole,
        place=place_of(plane > 0),
        pixels=plane.size,
        planes=planes,
        is_one_hot=is_one_hot,
    )


def interpret_values(masks: Sequence[MaskValues], named: int = 0) -> MaskReading:
    """Find the meaning of the values that best explains all masks.

    Args:
        masks: the values of each mask.
        named: number of classes besides the background that are known by name; values up to it are taken for them.
    """
    reading = _interpreted(masks, named)
    two = reading.code in ("binary", "soft") or len(reading.colours) == 2
    return replace(reading, alike=two and are_alike([mask.place for mask in masks if mask.place]))


def _interpreted(masks: Sequence[MaskValues], named: int) -> MaskReading:
    if (special := _fractions_or_alpha(masks) or _planes(masks)) is not None:
        return special
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
    numbers = _numbers(masks)
    for ignored in ((), _usual_ignored(masks)):
        others = _numbers(masks, ignored) if ignored else numbers
        why = why_objects(others) if min(every) >= 0 and not is_soft(counts) else ""
        if why:
            unsure = numbered_background([mask.frame for mask in masks if 0 not in mask.values], len(masks))
            if any(unsure):
                return MaskReading("unknown", why=unsure[0], other=unsure[1])
            why += f"; {_listed(ignored)} is far above the others, so it is read as ignored" if ignored else ""
            return MaskReading("instances", (), ignored, why=why, other="index masks, in which each number is a class")
    if (levels := _levels(counts)) is not None:
        return _background_first(masks, levels)
    if all(mask.is_complete for mask in masks) and len(every) <= _MOST_VALUES and not is_soft(counts):
        reading = _background_first(masks, _few_values(masks, every))
        if not reading.other and len(every) > 2 and are_whole(numbers):
            return replace(reading, other="numbers of objects: mask_encoding: instances")
        return reading
    return _many_values(counts)


def _numbers(masks: Sequence[MaskValues], without: Sequence[int] = ()) -> list[Numbers]:
    """The numbers of the masks that have any, or the codes of their colours; some values may be left out."""
    found = []
    for mask in masks:
        packed = {red << 32 | green << 16 | blue: count for (red, green, blue), count in mask.colours.items()}
        listed = {number: count for number, count in (packed or mask.values).items() if number > 0}
        left_out = [listed.pop(value) for value in without if value in listed]
        pieces = mask.pieces - sum(mask.components.get(value, 0) for value in without)
        largest = max(listed, default=0) if left_out else mask.largest
        if listed:
            found.append(Numbers(listed, mask.distinct - len(left_out), largest, pieces))
    return found


def _usual_ignored(masks: Sequence[MaskValues]) -> tuple[int, ...]:
    """The values of ignored pixels, if most masks have one that is far above all other values."""
    there = tuple(code for code in _IGNORE_CODES if 2 * sum(code in mask.values for mask in masks) > len(masks))
    others = [value for mask in masks for value in mask.values if value not in there]
    return there if there and max(others, default=0) < min(there) / 2 else ()


def _fractions_or_alpha(masks: Sequence[MaskValues]) -> MaskReading | None:
    """The reading of masks that hold fractions, or whose alpha channel says more than their colours."""
    if not all(mask.is_whole for mask in masks):
        other = "If these are probabilities, write under data: value_ranges: {foreground: [0.5, 1]}"
        return MaskReading("unknown", why="masks hold fractions", other=other)
    with_alpha = [mask for mask in masks if mask.alpha >= 0]
    if not with_alpha:
        return None
    told = f"in {counted(len(with_alpha), 'mask')} the alpha channel tells other pixels apart than the colours do"
    plain = all(len(mask.values or mask.colours) == 1 for mask in with_alpha)
    if plain or not all(mask.is_complete for mask in with_alpha):
        what = "the colours are the same everywhere" if plain else "the colours are those of a picture"
        other = "the colours: save the masks without the alpha channel"
        return MaskReading("alpha", (with_alpha[0].alpha,), why=f"{told}; {what}", other=other)
    lines = f"mask_encoding: channels and mask_values: [{with_alpha[0].alpha}]"
    other = f"If the alpha channel is the mask, write under data: {lines}. If not, save the masks without it."
    return MaskReading("unknown", why=f"{told}, and the colours differ too", other=other)


def _planes(masks: Sequence[MaskValues]) -> MaskReading | None:
    """The reading of masks with a channel for each class; beside them, only empty masks may be without."""
    counts = {mask.planes for mask in masks if mask.planes}
    others = [mask for mask in masks if not mask.planes]
    if len(counts) != 1 or any(mask.distinct or mask.alpha >= 0 for mask in others):
        return None
    (count,) = counts
    told = f"masks have {count} channels of 0 and 1"
    if not others and all(mask.is_one_hot for mask in masks):
        return MaskReading("one_hot", tuple(range(count)), why=f"{told}, and one of them is set in each pixel")
    return MaskReading("planes", tuple(range(count)), why=f"{told}, which are not the same")


def _of_colours(pixels: npt.NDArray[Any], alpha: int, *, with_components: bool) -> MaskValues:
    bits = 8 * pixels.dtype.itemsize
    kind: type[np.unsignedinteger[Any]] = np.uint32 if bits == 8 else np.uint64
    plane = np.zeros(pixels.shape[:2], kind)
    for channel in range(3):
        plane = (plane << kind(bits)) | pixels[..., channel].astype(kind)
    codes, counts = np.unique(plane, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:_MOST_SHADES]
    near = near_black(255 if pixels.dtype == np.uint8 else 65535) * 2
    white = np.iinfo(pixels.dtype).max - near
    pure = (pixels.max(axis=2) < near) | (pixels.min(axis=2) > white)
    pieces = pieces_of(plane, codes) if with_components else {}
    return MaskValues(
        colours={_colour(int(codes[place]), bits): int(counts[place]) for place in order},
        is_complete=len(codes) <= _MOST_VALUES,
        distinct=int((codes > 0).sum()),
        largest=1 << 3 * bits,
        pieces=sum(count for value, count in pieces.items() if value),
        pure=float(pure.mean()),
        alpha=alpha,
        place=place_of(plane > 0),
        pixels=plane.size,
    )


def _colour(code: int, bits: int) -> Colour:
    return code >> 2 * bits, code >> bits & (1 << bits) - 1, code & (1 << bits) - 1


def _colour_code(masks: Sequence[MaskValues]) -> MaskReading:
    greys = [{(value, value, value): count for value, count in mask.values.items()} for mask in masks]
    counts = _summed([*(mask.colours for mask in masks), *greys])
    if why := why_objects(_numbers(masks)):
        other = "colours of classes, if colours recur in other files: data.colors"
        return MaskReading("instances", why=why.replace("numbers", "colours"), other=other)
    if len(counts) > _MOST_VALUES or not all(mask.is_complete for mask in masks):
        coloured = [mask.pure for mask in masks if mask.colours]
        if min(coloured) >= _PURE:
            why = "nearly all pixels are black or white, or close to it: they were to be cut at half"
            return MaskReading("soft", (0, 255), why=why)
        pure = pure_colours(counts, sum(mask.pixels for mask in masks))
        if set(pure) == {(0, 0, 0), (255, 255, 255)}:
            why = "masks are black and white with shades in between, in files with three channels"
            return MaskReading("soft", (0, 255), why=why)
        if pure:
            why = f"masks have {len(pure)} colours, and shades of them as lossy compression makes"
            return MaskReading("colours", colours=pure, why=why, has_shades=True)
        why = f"masks have more than {_MOST_VALUES} colours: they may be drawn over images or saved as JPEG"
        frequent = sorted(counts, key=lambda colour: -counts[colour])[:_FREQUENT]
        return MaskReading("unknown", colours=tuple(frequent), why=why)
    ordered = sorted(counts, key=lambda colour: (sum(colour) > 0, -counts[colour]))
    return MaskReading("colours", colours=tuple(ordered), why=f"masks have {len(ordered)} colours")


def _is_binary(masks: Sequence[MaskValues]) -> bool:
    """Whether the value above 0 is the same in all files, or the largest one of 1, 8 or 16 bits."""
    positive = {value for mask in masks for value in mask.values if value}
    return len(positive) == 1 or positive <= {1, 255, 65535}


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
    torn = torn_value([mask.components for mask in masks], classes)
    if torn is not None:
        components, others = torn
        why = (
            f"{told}; {classes[-1]}, the largest, has {components:.0f} components an image where other values have at "
            f"most {others:.0f}, which is typical of borders and leftovers, so it is read as ignored"
        )
        other = f"{classes[-1]} is one more class"
        return MaskReading("index", tuple(classes[:-1]), (classes[-1],), why=why, other=other)
    return MaskReading("index", tuple(classes), why=told)


def _background_first(masks: Sequence[MaskValues], reading: MaskReading) -> MaskReading:
    """The reading with the background as its first value, if the image borders show that it is not 0."""
    frame = _summed([mask.frame for mask in masks])
    levels = reading.code == "levels"
    drawn = reading.code == "coded" or (levels and len(reading.values) > 2)
    background, told = background_of(reading.values, frame, drawn=drawn, levels=levels)
    if not told:
        return reading
    values = (background, *(value for value in reading.values if value != background))
    why = f"{reading.why}; {background} fills most of the image borders, and {told}, so it is the background"
    return replace(reading, values=values, why=why)


def _levels(counts: Mapping[int, int]) -> MaskReading | None:
    """The reading of values scattered around a few grey levels; None if they are not."""
    levels = grey_levels(counts) if len(counts) > _SCATTERED and min(counts) >= 0 and max(counts) < 256 else ()
    if len(levels) < 2 or levels[-1] < _LARGEST_INDEX:
        return None
    told = f"masks hold {len(counts)} values, nearly all close to {listing(levels)}"
    why = f"{told}, as compression or blurring leaves them"
    return MaskReading("soft" if levels == (0, 255) else "levels", levels, why=why)


def _many_values(counts: Mapping[int, int]) -> MaskReading:
    told = f"masks hold at least {len(counts)} values, up to {max(counts)}"
    if is_soft(counts):
        top = white_of(counts)
        share = f"{share_of_extremes(counts):.1%}"
        why = f"{told}; {share} of the pixels are near 0 or {top}: foreground with blurred borders"
        return MaskReading("soft", (0, top), why=why)
    return MaskReading("unknown", why=f"{told}, evenly used: these look like images, not masks")


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
