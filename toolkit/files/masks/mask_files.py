"""Masks as files (one per image, one per class, or several that are combined), and masks made from the images."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from toolkit.config.yaml.file_paths import regular
from toolkit.core.arrays import Objects
from toolkit.core.images.value_range import largest_channel
from toolkit.core.images.windows import Window
from toolkit.core.masks.labels import IGNORE, Classes
from toolkit.core.masks.mask_codings import ByColour, ByObject, ByRange, ByValue, Coding, whole_numbers
from toolkit.core.masks.palettes import PaletteReading, PaletteVerdict
from toolkit.files.disk.digests import file_stamp, joined_stamps
from toolkit.files.images.decoding import (
    LOSSY_SUFFIXES,
    MASK_ARRAYS,
    UnreadableImageError,
    read_size,
    read_stored,
    read_stored_window,
)
from toolkit.files.masks.palette_files import palette_verdict, refuse_palette


@runtime_checkable
class CanBeEmpty(Protocol):
    """Masks that can take on images without one, as empty masks."""

    def with_empty(self, ids: Iterable[str], classes: Classes) -> Any:
        """The same masks, and empty masks of these images."""


def no_planes(classes: Classes, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """An empty mask whatever the values of the classes are: a plane per class, the background apart."""
    return np.zeros((*size, classes.count - (classes.activation == "softmax")), np.uint8)


@dataclass(frozen=True)
class MaskFiles:
    """Masks as image files, one per image.

    Attributes:
        paths: the file of each id.
        coding: how classes are coded.
        palette: how files with palettes are read; if None, all files together decide.
        one_class: whether everything above 0, or not black, is foreground.
        size: None; the masks have the size of their images.
        empty: images that have an empty mask without a file, of these classes.
    """

    paths: Mapping[str, Path]
    coding: Coding = field(default_factory=ByValue)
    palette: PaletteReading | None = None
    one_class: bool = True
    size: None = None
    empty: Mapping[str, Classes] = field(default_factory=dict)

    @property
    def ids(self) -> Iterable[str]:
        """Ids that have a mask file, or an empty mask."""
        return self.paths.keys() | self.empty.keys()

    def with_empty(self, ids: Iterable[str], classes: Classes) -> "MaskFiles":
        """The same masks, and empty masks of these images."""
        return replace(self, empty=dict.fromkeys(ids, classes))

    @cached_property
    def palettes(self) -> PaletteVerdict:
        """How files with palettes are read; headers are looked at, and pixels where palettes differ."""
        if self.coding.wants_colours or self.palette is not None:
            return PaletteVerdict(self.palette or "colors", "")
        return palette_verdict(self.paths.values())

    def read(self, image_id: str, size: tuple[int, int]) -> npt.NDArray[Any]:
        """Read one mask; the caller compares its size with `size`."""
        if image_id in self.empty:
            return no_planes(self.empty[image_id], size)
        return self.coding.decode(self.stored(image_id))

    def window(self, image_id: str, size: tuple[int, int], window: Window) -> npt.NDArray[Any] | None:
        """Read a window of one mask; None if the file has to be read whole, or has another size than `size`."""
        if image_id in self.empty:
            return no_planes(self.empty[image_id], window.size)
        path = self.paths[image_id]
        values = read_stored_window(path, window) if read_size(path, MASK_ARRAYS) == size else None
        return None if values is None else self.coding.decode(values)

    def read_objects(self, image_id: str, size: tuple[int, int]) -> Objects | None:
        """The objects of one mask if its values number them; otherwise None, because objects may touch."""
        if not isinstance(self.coding, ByObject):
            return None
        if image_id in self.empty:
            return np.zeros(size, np.int32)
        return self.coding.objects(self.stored(image_id))

    def content(self, image_id: str) -> bytes:
        """The bytes of the file and, unless it is the default, how it is read, for digests."""
        return b"" if image_id in self.empty else regular(self.paths[image_id]).read_bytes() + self._how

    def stamp(self, image_id: str) -> bytes | None:
        """The stamp of the file, and how it is read."""
        if image_id in self.empty:
            return b""
        return joined_stamps(file_stamp(self.paths[image_id]), repr(self.coding).encode(), self._how)

    @property
    def _how(self) -> bytes:
        coding = b"" if isinstance(self.coding, ByValue) else repr(self.coding).encode()
        return coding + (b"" if self.coding.wants_colours or not self._as_colours else b"palettes as colours")

    @property
    def _as_colours(self) -> bool:
        return self.palettes.reading == "colors"

    def stored(self, image_id: str) -> npt.NDArray[Any]:
        """The stored pixels of one mask; raises as `read_mask`, and if the palettes leave open what is meant."""
        path, verdict = self.paths[image_id], self.palettes
        stored = read_mask(path, self.coding, as_colours=self._as_colours)
        if self.palette is None and verdict.colours and not self.coding.wants_colours:
            is_open = verdict.reading is None and not (verdict.agree if self.one_class else verdict.same)
            if is_open or (self._as_colours and not verdict.grey and not self.one_class):
                raise refuse_palette(path, verdict)
        return stored


def read_mask(path: Path, coding: Coding, *, as_colours: bool = False) -> npt.NDArray[Any]:
    """The stored pixels of a mask file; those of a palette as colours if asked, or if the coding wants them.

    Raises:
        UnreadableImageError: as `read_stored`; or compression has altered the values and the coding has no ranges.
    """
    if path.suffix.lower() in LOSSY_SUFFIXES and not _bears_loss(coding):
        raise UnreadableImageError(
            path,
            f"is a mask in {path.suffix}; its lossy compression alters mask values",
            "Give the values of each class as a range, for example under data: value_ranges: {foreground: [128, 255]}; "
            "or the colours of the classes in colors, with nearest_color: true.",
        )
    by_index = not (as_colours or coding.wants_colours)
    return read_stored(path, palette_as_index=by_index, whole_depth=True, arrays=MASK_ARRAYS)


def _bears_loss(coding: Coding) -> bool:
    """Whether a coding tolerates small changes of values."""
    return isinstance(coding, ByRange) or (isinstance(coding, ByColour) and coding.takes_nearest)


@dataclass(frozen=True)
class SeveralMaskFiles:
    """Masks as several files per image: one or more for each class, which are combined.

    Attributes:
        paths: the files of each id with their class; an empty class name means the first class.
        names: of the classes.
        with_objects: whether the values in each file number objects.
        ignored: pixel values that mark ignored pixels.
        palette: how files with palettes are read; if None, all files together decide.
        size: None; the masks have the size of their images.
    """

    paths: Mapping[str, Sequence[tuple[str, Path]]]
    names: tuple[str, ...]
    with_objects: bool = False
    ignored: tuple[int, ...] = ()
    palette: PaletteReading | None = None
    size: None = None

    @property
    def ids(self) -> Iterable[str]:
        """Ids that have at least one file, or an empty mask."""
        return self.paths.keys()

    def with_empty(self, ids: Iterable[str], classes: Classes) -> "SeveralMaskFiles":
        """The same masks, and empty masks of these images, which have no files."""
        return replace(self, paths={**self.paths, **dict.fromkeys(ids, ())})

    def read(self, image_id: str, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
        """Read the files of an image: a plane per class, (height, width, classes), 0, 1 or IGNORE."""
        planes = np.zeros((*size, len(self.names)), np.uint8)
        for name, values in self._each(image_id, size):
            plane = planes[:, :, self.names.index(name)]
            plane[(values > 0) & (plane == 0)] = 1
            plane[np.isin(values, self.ignored)] = IGNORE
        return planes

    def window(self, image_id: str, size: tuple[int, int], window: Window) -> None:
        """None: the caller cuts the window from the whole mask."""

    def read_objects(self, image_id: str, size: tuple[int, int]) -> Objects | None:
        """Number the objects of all files; a pixel of several objects belongs to the first."""
        if not self.with_objects:
            return None
        objects = np.zeros(size, np.int32)
        for _, values in self._each(image_id, size):
            found = ByObject(self.ignored).objects(values)
            free = (found > 0) & (objects == 0)
            objects[free] = found[free] + objects.max(initial=0)
        return objects

    def content(self, image_id: str) -> bytes:
        """Classes and bytes of the files, and how they are read, for digests."""
        how = repr((self.names, self.with_objects, self.ignored)).encode()
        how += b"palettes as colours" if self.palettes.reading == "colors" else b""
        return how + b"".join(
            name.encode() + b"\0" + regular(path).read_bytes() for name, path in self._of_classes(image_id)
        )

    def stamp(self, image_id: str) -> bytes | None:
        """The stamps of the files, their classes, and how they are read."""
        files = self._of_classes(image_id)
        read = self.names, self.with_objects, self.ignored, self.palettes.reading
        how = repr((*read, [name for name, _ in files])).encode()
        return joined_stamps(how, *(file_stamp(path) for _, path in files))

    def _of_classes(self, image_id: str) -> list[tuple[str, Path]]:
        return [(name or self.names[0], path) for name, path in self.paths[image_id] if not name or name in self.names]

    @cached_property
    def palettes(self) -> PaletteVerdict:
        """How files with palettes are read."""
        if self.palette is not None:
            return PaletteVerdict(self.palette, "")
        return palette_verdict(path for files in self.paths.values() for _, path in files)

    def _each(self, image_id: str, size: tuple[int, int]) -> Iterable[tuple[str, npt.NDArray[Any]]]:
        as_colours = self.palettes.reading == "colors"
        for name, path in self._of_classes(image_id):
            if self.palettes.reading is None and not self.palettes.agree:
                raise refuse_palette(path, self.palettes)
            values = whole_numbers(largest_channel(read_mask(path, ByValue(), as_colours=as_colours)))
            if values.shape != size:
                raise UnreadableImageError(
                    path, f"is {values.shape[0]}×{values.shape[1]}, but its image is {size[0]}×{size[1]}"
                )
            yield name, values


class StoredImages(Protocol):
    """Images that give their pixels as they are stored."""

    @property
    def ids(self) -> tuple[str, ...]:
        """All ids."""

    def stored(self, image_id: str) -> npt.NDArray[Any]:
        """The stored pixels of one image."""


@dataclass(frozen=True)
class MasksFromImages:
    """Masks that a coding makes from the images themselves."""

    images: StoredImages
    coding: Coding
    size: None = None

    @property
    def ids(self) -> Iterable[str]:
        """All images have a mask."""
        return self.images.ids

    def read(self, image_id: str, size: tuple[int, int]) -> npt.NDArray[Any]:
        """Decode the pixels of one image."""
        return self.coding.decode(self.images.stored(image_id))

    def window(self, image_id: str, size: tuple[int, int], window: Window) -> None:
        """None: the caller cuts the window from the whole mask."""

    def read_objects(self, image_id: str, size: tuple[int, int]) -> None:
        """None: the values do not separate touching objects."""

    def content(self, image_id: str) -> bytes:
        """The coding; the digest of the image covers its pixels."""
        return repr(self.coding).encode()

    def stamp(self, image_id: str) -> bytes | None:
        """The coding; the stamp of the image covers its pixels."""
        return self.content(image_id)


@dataclass(frozen=True)
class EmptyMasks:
    """Empty masks, for images without any foreground."""

    ids: tuple[str, ...]
    size: None = None

    def read(self, image_id: str, size: tuple[int, int]) -> npt.NDArray[Any]:
        """Background everywhere."""
        return np.zeros(size, np.bool_)

    def window(self, image_id: str, size: tuple[int, int], window: Window) -> npt.NDArray[Any]:
        """Background everywhere."""
        return np.zeros(window.size, np.bool_)

    def read_objects(self, image_id: str, size: tuple[int, int]) -> Objects | None:
        """No objects."""
        return np.zeros(size, np.int32)

    def content(self, image_id: str) -> bytes:
        """Nothing: all masks are the same."""
        return b""

    def stamp(self, image_id: str) -> bytes | None:
        """Nothing: all masks are the same."""
        return b""
