"""Images as files of folders: one file an image, or one for each of its channels."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Image
from toolkit.core.images.value_range import ValueRange
from toolkit.core.images.windows import Window
from toolkit.errors import DataError, MissingFileError
from toolkit.files.images.decoding import (
    IMAGE_SUFFIXES,
    UnreadableImageError,
    orientation_of,
    read_image,
    read_image_window,
    read_size,
    read_stored,
    stored_channels,
)
from toolkit.files.images.names_to_ids import files_by_id
from toolkit.files.images.recently_decoded import RecentlyDecoded
from toolkit.files.images.window_reading import cut, refuse_outside

_LISTED = 20


@dataclass(frozen=True)
class ImageFiles:
    """Images of a folder by id, in the order of the ids; `origin` is the folder.

    `channels` is None for those that the files have.
    """

    origin: str
    paths: Mapping[str, Path]
    channels: int | None = 3
    ranges: tuple[ValueRange, ...] = ()
    _decoded: RecentlyDecoded = field(default_factory=RecentlyDecoded, init=False, repr=False, compare=False)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """All ids, sorted."""
        return tuple(sorted(self.paths))

    def read(self, image_id: str) -> Image:
        """Read one image as `uint8 (height, width, channels)`; raises UnreadableImageError."""
        return read_image(self.paths[image_id], self.channels, self.ranges)

    def window(self, image_id: str, window: Window) -> Image:
        """Read a window of one image: from the file if it allows that, else from the recently decoded images."""
        refuse_outside(window, self.size(image_id))
        pixels = read_image_window(self.paths[image_id], self.channels, window, self.ranges)
        return cut(self._decoded.get(image_id, lambda: self.read(image_id)), window) if pixels is None else pixels

    def size(self, image_id: str) -> tuple[int, int]:
        """(height, width) of an image, from its header alone; raises UnreadableImageError."""
        return read_size(self.paths[image_id])

    def content(self, image_id: str) -> bytes:
        """The bytes of the file, and how they are read where that is not the plain way."""
        content = self.paths[image_id].read_bytes()
        return content + repr(self.ranges).encode() if self.ranges else content

    def stored(self, image_id: str) -> npt.NDArray[Any]:
        """The pixels as the file has them; raises UnreadableImageError."""
        return read_stored(self.paths[image_id], whole_depth=True)

    def is_turned(self, image_id: str) -> bool:
        """Whether the file has an orientation tag, by which programs show it turned or mirrored."""
        return orientation_of(self.paths[image_id]) != 1

    def only(self, ids: Container[str]) -> "ImageFiles":
        """Those of the images that have one of these ids."""
        return replace(self, paths={image_id: path for image_id, path in self.paths.items() if image_id in ids})


@dataclass(frozen=True)
class StackedImages:
    """Images whose channels come from several folders, one after the other, all of them from each."""

    parts: tuple[ImageFiles, ...]
    channels: int
    ranges: tuple[ValueRange, ...] = ()
    # By image and by numbers of channels: what was read last is kept in each, for the next part of it.
    _counts: dict[str, tuple[int, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)
    _divided: dict[tuple[int, ...], Sequence[ImageFiles]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def origin(self) -> str:
        """The folders."""
        return " and ".join(part.origin for part in self.parts)

    @property
    def ids(self) -> tuple[str, ...]:
        """All ids, sorted."""
        return self.parts[0].ids

    def read(self, image_id: str) -> Image:
        """Read the files of one image; raises UnreadableImageError."""
        self.size(image_id)
        return self._joined(image_id, [part.read(image_id) for part in self._ranged(image_id)])

    def window(self, image_id: str, window: Window) -> Image:
        """Read the window of each file."""
        refuse_outside(window, self.size(image_id))
        return self._joined(image_id, [part.window(image_id, window) for part in self._ranged(image_id)])

    def size(self, image_id: str) -> tuple[int, int]:
        """(height, width) of all files of an image; raises UnreadableImageError if they differ."""
        sizes = [part.size(image_id) for part in self.parts]
        if len(set(sizes)) > 1:
            listed = ", ".join(
                f"{height}×{width} in {part.origin}" for part, (height, width) in zip(self.parts, sizes, strict=True)
            )
            raise UnreadableImageError(image_id, f"is not of one size: {listed}")
        return sizes[0]

    def content(self, image_id: str) -> bytes:
        """The bytes of all files."""
        return b"".join(part.content(image_id) for part in self.parts) + repr(self.ranges).encode()

    def stored(self, image_id: str) -> npt.NDArray[Any]:
        """The pixels as the files have them, of all channels together."""
        stored = [part.stored(image_id) for part in self.parts]
        return np.concatenate([one.reshape(*one.shape[:2], -1) for one in stored], axis=2)

    def only(self, ids: Container[str]) -> "StackedImages":
        """Those of the images that have one of these ids."""
        return replace(self, parts=tuple(part.only(ids) for part in self.parts))

    def _ranged(self, image_id: str) -> Sequence[ImageFiles]:
        """The parts, each with the ranges of its channels."""
        if len(self.ranges) <= 1:
            return self.parts
        counts = self._counts.get(image_id)
        if counts is None:
            counts = self._counts[image_id] = tuple(stored_channels(part.paths[image_id]) for part in self.parts)
        if sum(counts) != len(self.ranges):
            raise UnreadableImageError(
                image_id, f"has {' + '.join(map(str, counts))} channels, but value_range has {len(self.ranges)} entries"
            )
        ends = np.cumsum(counts).tolist()
        divided = [
            replace(part, ranges=self.ranges[end - count : end])
            for part, count, end in zip(self.parts, counts, ends, strict=True)
        ]
        return self._divided.setdefault(counts, divided)

    def _joined(self, image_id: str, images: Sequence[Image]) -> Image:
        found = [image.shape[2] for image in images]
        if sum(found) != self.channels:
            listed = " + ".join(map(str, found))
            raise UnreadableImageError(
                image_id,
                f"has {listed} channels in {self.origin}, but shape asks for {self.channels}",
                f"Set the last entry of shape to {sum(found)}.",
            )
        return np.concatenate(images, axis=2)


def find_image_files(
    folders: Sequence[Path],
    key: str,
    channels: int = 3,
    *,
    pattern: str | None = None,
    ranges: tuple[ValueRange, ...] = (),
) -> ImageFiles | StackedImages:
    """List the images of a folder, or of several whose images are the channels of one.

    Args:
        folders: one or several.
        key: what names them, for messages.
        channels: of the images, see `read_image`; of several folders the files have to have these together.
        pattern: of the file names, see `files_by_id`.
        ranges: of the values of more than 8 bits, see `to_bytes`.

    Raises:
        MissingFileError: no such folder.
        NothingToLearnError: no image in it.
        DataError: two files have the same id, or the folders do not have the same ids.
    """
    found = [_of_folder(folder, key, pattern) for folder in folders]
    if len(found) == 1:
        return ImageFiles(str(folders[0]), found[0], channels, ranges)
    for folder, paths in zip(folders[1:], found[1:], strict=True):
        alone = sorted(set(paths) ^ set(found[0]))
        if alone:
            raise DataError(
                f"{key}: {len(alone)} images are not in both {folders[0]} and {folder}: {_some(alone)}",
                "Each image needs a file in every folder.",
            )
    parts = [
        ImageFiles(str(folder), paths, None, ranges if len(ranges) <= 1 else ())
        for folder, paths in zip(folders, found, strict=True)
    ]
    return StackedImages(tuple(parts), channels, ranges if len(ranges) > 1 else ())


def _of_folder(folder: Path, key: str, pattern: str | None) -> dict[str, Path]:
    if not folder.is_dir():
        raise MissingFileError(f"{key}: there is no folder {folder}", path_advice(folder))
    return files_by_id(folder, IMAGE_SUFFIXES, key, pattern)


def path_advice(path: Path) -> str:
    """Which part of a path there is."""
    parent = next(folder for folder in path.parents if folder.is_dir())
    return f"{parent.absolute()} exists; check the rest of the path. Paths in a config.yaml are relative to its folder."


def _some(ids: Sequence[str]) -> str:
    return ", ".join(ids[:_LISTED]) + (", …" if len(ids) > _LISTED else "")
