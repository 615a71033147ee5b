"""Masks as files: one an image, one for each class, several that are united; and masks made from the images."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Objects
from toolkit.core.images.value_range import largest_channel
from toolkit.core.images.windows import Window
from toolkit.core.masks.labels import IGNORE
from toolkit.core.masks.mask_codings import ByObject, ByRange, ByValue, Coding, whole_numbers
from toolkit.files.images.decoding import (
    LOSSY_SUFFIXES,
    MASK_ARRAYS,
    UnreadableImageError,
    read_size,
    read_stored,
    read_stored_window,
)


@dataclass(frozen=True)
class MaskFiles:
    """Masks as image files, one for each image."""

    paths: Mapping[str, Path]
    coding: Coding = field(default_factory=ByValue)
    size: None = None

    @property
    def ids(self) -> Iterable[str]:
        """Ids that have a mask file."""
        return self.paths.keys()

    def read(self, image_id: str, size: tuple[int, int]) -> npt.NDArray[Any]:
        """Read one mask; its size is its own, to be compared with `size` by the caller."""
        return self.coding.decode(self._stored(image_id))

    def window(self, image_id: str, size: tuple[int, int], window: Window) -> npt.NDArray[Any] | None:
        """Read a window of one mask; None if the file has to be read whole, or has another size than `size`."""
        path = self.paths[image_id]
        values = read_stored_window(path, window) if read_size(path, MASK_ARRAYS) == size else None
        return None if values is None else self.coding.decode(values)

    def read_objects(self, image_id: str, size: tuple[int, int]) -> Objects | None:
        """The objects, if the mask numbers them; None else: a mask does not tell objects that touch."""
        return self.coding.objects(self._stored(image_id)) if isinstance(self.coding, ByObject) else None

    def content(self, image_id: str) -> bytes:
        """The bytes of the file, and how they are read where that is not the plain way."""
        content = self.paths[image_id].read_bytes()
        return content if isinstance(self.coding, ByValue) else content + repr(self.coding).encode()

    def _stored(self, image_id: str) -> npt.NDArray[Any]:
        return read_mask(self.paths[image_id], self.coding)


def read_mask(path: Path, coding: Coding) -> npt.NDArray[Any]:
    """The stored pixels of a mask file.

    Raises:
        UnreadableImageError: as `read_stored`; or the values of the file are only near those that were drawn.
    """
    if path.suffix.lower() in LOSSY_SUFFIXES and not isinstance(coding, ByRange):
        raise UnreadableImageError(
            path,
            f"is a mask in {path.suffix}, which keeps values only nearly",
            "Say which values mean foreground, under data: value_ranges: {foreground: [128, 255]}",
        )
    return read_stored(path, palette_as_index=not coding.wants_colours, whole_depth=True, arrays=MASK_ARRAYS)


@dataclass(frozen=True)
class SeveralMaskFiles:
    """Masks as several files an image: one or more for each of the classes `names`, united.

    Where `with_objects`, the numbers in each file are objects of their own. Values in `void` are void.
    """

    paths: Mapping[str, Sequence[tuple[str, Path]]]
    names: tuple[str, ...]
    with_objects: bool = False
    ignored: tuple[int, ...] = ()
    size: None = None

    @property
    def ids(self) -> Iterable[str]:
        """Ids that have any file."""
        return self.paths.keys()

    def read(self, image_id: str, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
        """Read the files of an image: one plane a class."""
        planes = np.zeros((*size, len(self.names)), np.uint8)
        for name, values in self._each(image_id, size):
            plane = planes[:, :, self.names.index(name)]
            plane[(values > 0) & (plane == 0)] = 1
            plane[np.isin(values, self.ignored)] = IGNORE
        return planes

    def window(self, image_id: str, size: tuple[int, int], window: Window) -> None:
        """None: what was read of all files is kept instead."""

    def read_objects(self, image_id: str, size: tuple[int, int]) -> Objects | None:
        """Number the objects of all files; a pixel of several objects is the first one's."""
        if not self.with_objects:
            return None
        objects = np.zeros(size, np.int32)
        for _, values in self._each(image_id, size):
            found = ByObject(self.ignored).objects(values)
            free = (found > 0) & (objects == 0)
            objects[free] = found[free] + objects.max(initial=0)
        return objects

    def content(self, image_id: str) -> bytes:
        """Names and bytes of the files, and how they are read."""
        how = repr((self.names, self.with_objects, self.ignored)).encode()
        return how + b"".join(name.encode() + b"\0" + path.read_bytes() for name, path in self._of_classes(image_id))

    def _of_classes(self, image_id: str) -> list[tuple[str, Path]]:
        return [(name or self.names[0], path) for name, path in self.paths[image_id] if not name or name in self.names]

    def _each(self, image_id: str, size: tuple[int, int]) -> Iterable[tuple[str, npt.NDArray[Any]]]:
        for name, path in self._of_classes(image_id):
            values = whole_numbers(largest_channel(read_mask(path, ByValue())))
            if values.shape != size:
                raise UnreadableImageError(
                    path, f"is {values.shape[0]}×{values.shape[1]}, but its image {size[0]}×{size[1]}"
                )
            yield name, values


class StoredImages(Protocol):
    """Images whose pixels can be had as they are stored."""

    @property
    def ids(self) -> tuple[str, ...]:
        """All ids."""

    def stored(self, image_id: str) -> npt.NDArray[Any]:
        """The pixels."""


@dataclass(frozen=True)
class MasksFromImages:
    """Masks that are what a coding makes of the images themselves."""

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
        """None: what was read last is kept instead."""

    def read_objects(self, image_id: str, size: tuple[int, int]) -> None:
        """None: values do not tell objects that touch."""

    def content(self, image_id: str) -> bytes:
        """How the images are read; they are counted themselves."""
        return repr(self.coding).encode()


@dataclass(frozen=True)
class EmptyMasks:
    """Masks of images that show nothing of what is looked for."""

    ids: tuple[str, ...]
    size: None = None

    def read(self, image_id: str, size: tuple[int, int]) -> npt.NDArray[Any]:
        """Background everywhere."""
        return np.zeros(size, np.bool_)

    def window(self, image_id: str, size: tuple[int, int], window: Window) -> npt.NDArray[Any]:
        """Background everywhere."""
        return np.zeros(window.size, np.bool_)

    def read_objects(self, image_id: str, size: tuple[int, int]) -> Objects | None:
        """No object at all."""
        return np.zeros(size, np.int32)

    def content(self, image_id: str) -> bytes:
        """Nothing."""
        return b""
