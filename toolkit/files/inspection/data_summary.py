"""A summary of images and masks: sizes, kinds of files, values, classes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.core.masks.labels import Classes
from toolkit.core.masks.mask_codings import ByBit, ByChannel, ByColour, ByRange
from toolkit.errors import counted, listing
from toolkit.files.data.neighbours import own_slices
from toolkit.files.data.sources import Images, MaskSource
from toolkit.files.data.user_source import UserMasks
from toolkit.files.images.image_files import ImageFiles
from toolkit.files.images.kinds import file_kind
from toolkit.files.inspection.image_facts import ImageFacts
from toolkit.files.masks.mask_files import MaskFiles, MasksFromImages, SeveralMaskFiles
from toolkit.files.masks.rle_tables import MaskTable
from toolkit.files.masks.shapes.drawings import Shapes
from toolkit.files.masks.shapes.yolo_files import YoloFiles

_SHOWN = 4
_NOTHING = "–"


@dataclass(frozen=True)
class FileSummary:
    """A summary of images and, if there are any, of their masks.

    Attributes:
        folder: of the images.
        images: how many there are.
        unusable: how many cannot be used.
        sizes: the number of images by size, `height×width`.
        kinds: the number of image files by kind.
        values: the smallest and largest value of the images as they are read, 0–255.
        constant: how many images have one value in all pixels.
        masks: what the masks are read from.
        mask_kinds: the number of mask files by kind.
        empty: how many masks have no foreground.
        coverage: the mean foreground share, 0–1.
        ignored: the mean share of ignored pixels, 0–1.
    """

    folder: str
    images: int
    unusable: int
    sizes: dict[str, int]
    kinds: dict[str, int]
    values: tuple[int, int]
    constant: int
    masks: str = ""
    mask_kinds: dict[str, int] | None = None
    empty: int | None = None
    coverage: float | None = None
    ignored: float | None = None

    def rows(self) -> list[tuple[str, str]]:
        """Labels and texts for a table."""
        rows = [("images", str(self.images)), ("unusable", str(self.unusable))]
        rows += [("sizes", _counts_text(self.sizes)), ("files", _counts_text(self.kinds))]
        values = f"{self.values[0]}–{self.values[1]}" if self.sizes else _NOTHING
        rows += [("values", values), ("constant", str(self.constant))]
        if self.masks:
            rows += [("masks", self.masks)]
        if self.mask_kinds:
            rows += [("mask files", _counts_text(self.mask_kinds))]
        if self.empty is not None and self.coverage is not None and self.ignored is not None:
            share = self.empty / max(1, self.images - self.unusable)
            rows += [("empty masks", f"{self.empty} ({share:.0%})"), ("foreground", f"{self.coverage:.2%}")]
            rows += [("ignored", f"{self.ignored:.2%}")] if self.ignored else []
        return rows


@dataclass(frozen=True)
class ClassShare:
    """A class: its pixel values, its share of all pixels that are not ignored, and the images that it occurs in.

    `images` is their number and `of_images` their share of all images, 0–1.
    """

    name: str
    values: str
    pixels: float
    images: int
    of_images: float

    def row(self) -> tuple[str, ...]:
        """The texts for a table."""
        return (self.name, self.values, f"{self.pixels:.3%}", str(self.images), f"{self.of_images:.0%}")


def summary_of(facts: Sequence[ImageFacts], images: Images, masks: MaskSource | None = None) -> FileSummary:
    """The summary of images and their masks."""
    usable = [one for one in facts if not one.problem]
    own = own_slices(images)
    kinds = [file_kind(path) for path in own.paths.values()] if isinstance(own, ImageFiles) else []
    alone = FileSummary(
        images.origin,
        len(facts),
        len(facts) - len(usable),
        _counted([f"{height}×{width}" for height, width in (one.size for one in usable)]),
        _counted(kinds),
        (min((one.low for one in usable), default=0), max((one.high for one in usable), default=0)),
        sum(one.is_constant for one in usable),
    )
    if masks is None or not usable:
        return alone
    return FileSummary(
        **vars(alone)
        | {
            "masks": _source(masks),
            "mask_kinds": _kinds_of(masks, usable) if isinstance(masks, MaskFiles) else None,
            "empty": sum(not one.coverage for one in usable),
            "coverage": float(np.mean([one.coverage for one in usable])),
            "ignored": float(np.mean([one.ignored for one in usable])),
        }
    )


def _kinds_of(masks: MaskFiles, facts: Sequence[ImageFacts]) -> dict[str, int]:
    return _counted([file_kind(masks.paths[one.image_id]) for one in facts if one.image_id in masks.paths])


def class_shares(facts: Sequence[ImageFacts], classes: Classes, masks: MaskSource) -> list[ClassShare]:
    """The share of each class in pixels and images."""
    usable = [one for one in facts if not one.problem]
    if not usable:
        return []
    pixels = np.array([one.pixels for one in usable], np.float64)
    counted = sum(one.size[0] * one.size[1] * (1 - one.ignored) for one in usable)
    codes = codes_of(classes, masks)
    return [
        ClassShare(name, code, float(plane.sum() / max(1, counted)), int((plane > 0).sum()), float((plane > 0).mean()))
        for name, code, plane in zip(classes.names, codes, pixels.T, strict=True)
    ]


def codes_of(classes: Classes, masks: MaskSource) -> list[str]:
    """What marks each class in the masks: values, colours, ranges, bits, channels, files, shapes or rows."""
    coding = masks.coding if isinstance(masks, MaskFiles | MasksFromImages) else None
    shown = classes.names[1:] if classes.activation == "softmax" else classes.names
    planes: list[str] = []
    if isinstance(coding, ByColour):
        colours = ["#{:02x}{:02x}{:02x}".format(*colour) for colour in coding.colours]
        return _numbered(classes, colours, "all other colours" if coding.rest_is_background else "#000000")
    if isinstance(coding, ByRange):
        return _numbered(classes, [f"{low:g}–{high:g}" for low, high in coding.ranges], "all other values")
    if isinstance(coding, ByBit):
        planes = [f"bit {bit}" for bit in coding.bits]
    elif isinstance(coding, ByChannel):
        planes = [f"channel {channel}" for channel in coding.channels]
    elif isinstance(masks, SeveralMaskFiles):
        planes = ["above 0"] * len(shown)
    elif isinstance(masks, Shapes):
        planes = ["its shapes"] * len(shown)
    elif isinstance(masks, MaskTable):
        planes = ["its rows"] * len(shown)
    if planes:
        return [*["all other pixels"] * (classes.count - len(planes)), *planes]
    return ["above 0"] if classes.values is None else [" ".join(map(str, values)) for values in classes.values]


def _numbered(classes: Classes, codes: Sequence[str], rest: str) -> list[str]:
    """The codes of classes whose numbers, from 1, count these codes; 0 is the rest."""
    values = classes.values or ((1,),)
    return [", ".join(codes[number - 1] if number else rest for number in sorted(several)) for several in values]


def _counted(words: Sequence[str]) -> dict[str, int]:
    return dict(Counter(words).most_common())


def _counts_text(counts: dict[str, int]) -> str:
    if len(counts) < 2:
        return next(iter(counts), _NOTHING)
    return listing((f"{word} ({count})" for word, count in counts.items()), _SHOWN)


def _source(masks: MaskSource) -> str:
    if isinstance(masks, MaskTable):
        rows = [len(several) for several in masks.rows.values()]
        several = sum(count > 1 for count in rows)
        note = f"; {counted(several, 'image has', 'images have')} several" if several else ""
        return f"{counted(sum(rows), 'run-length encoding')}{note}"
    if isinstance(masks, Shapes):
        return "polygons in text files" if isinstance(masks.drawings, YoloFiles) else "shapes in JSON files"
    if isinstance(masks, SeveralMaskFiles):
        return "several files per image"
    if isinstance(masks, MasksFromImages):
        return "the images themselves, by value_ranges"
    if isinstance(masks, UserMasks):
        return masks.items.title
    return "files" if isinstance(masks, MaskFiles) else "several sources"
