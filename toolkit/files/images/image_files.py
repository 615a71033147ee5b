"""Images as files in folders: one file per image, or one per image in each of several folders."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.config.yaml.file_paths import regular
from toolkit.core.arrays import Image
from toolkit.core.images.value_range import ValueRange
from toolkit.core.images.windows import Window
from toolkit.errors import DataError, MissingFileError, listing, nearest
from toolkit.files.disk.digests import file_stamp, joined_stamps
from toolkit.files.images.channel_files import PLAIN_NAMES, FileNames, files_of_channels
from toolkit.files.images.decoding import (
    IMAGE_SUFFIXES,
    UnreadableImageError,
    chosen_planes,
    orientation_of,
    read_image,
    read_image_window,
    read_size,
    read_stored,
    stored_channels,
)
from toolkit.files.images.names.names_to_ids import CHANNEL, files_by_id
from toolkit.files.images.recently_decoded import RecentlyDecoded
from toolkit.files.images.window_reading import cut, refuse_outside


@dataclass(frozen=True)
class ImageFiles:
    """Images of a folder by id, in the order of the ids.

    Attributes:
        origin: the folder, for messages.
        paths: the file of each id.
        channels: the number of channels to read, see `read_image`; None keeps those of the file.
        ranges: of values of more than 8 bits, see `to_bytes`.
        planes: the channels of each file that are used; all if it is empty.
    """

    origin: str
    paths: Mapping[str, Path]
    channels: int | None = 3
    ranges: tuple[ValueRange, ...] = ()
    planes: tuple[int, ...] = ()
    _decoded: RecentlyDecoded = field(default_factory=RecentlyDecoded, init=False, repr=False, compare=False)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """All ids, sorted."""
        return tuple(sorted(self.paths))

    def read(self, image_id: str) -> Image:
        """Read one image as `uint8 (height, width, channels)`; raises UnreadableImageError."""
        return read_image(self.paths[image_id], self.channels, self.ranges, self.planes)

    def window(self, image_id: str, window: Window) -> Image:
        """Read a window of one image: from the file if it allows that, else from the recently decoded images."""
        refuse_outside(window, self.size(image_id))
        pixels = read_image_window(self.paths[image_id], self.channels, window, self.ranges, self.planes)
        return cut(self._decoded.get(image_id, lambda: self.read(image_id)), window) if pixels is None else pixels

    def size(self, image_id: str) -> tuple[int, int]:
        """(height, width) of an image, from its header alone; raises UnreadableImageError."""
        return read_size(self.paths[image_id])

    def content(self, image_id: str) -> bytes:
        """The bytes of the file and, if set, value ranges and planes, for digests."""
        content = regular(self.paths[image_id]).read_bytes()
        content += repr(self.ranges).encode() if self.ranges else b""
        return content + repr(("planes", self.planes)).encode() if self.planes else content

    def stamp(self, image_id: str) -> bytes | None:
        """The stamp of the file, and how it is read."""
        return joined_stamps(file_stamp(self.paths[image_id]), self._how())

    def stored(self, image_id: str) -> npt.NDArray[Any]:
        """The stored pixels of the channels that are used, in full depth; raises UnreadableImageError."""
        path = self.paths[image_id]
        return chosen_planes(read_stored(path, whole_depth=True), self.planes, path)

    def _how(self) -> bytes:
        planes = (self.planes,) if self.planes else ()
        return repr((self.channels, self.ranges, *planes)).encode()

    def is_turned(self, image_id: str) -> bool:
        """Whether the file has an orientation tag that makes programs show it rotated or mirrored."""
        return orientation_of(self.paths[image_id]) != 1

    def only(self, ids: Container[str]) -> "ImageFiles":
        """The images with these ids."""
        return replace(self, paths={image_id: path for image_id, path in self.paths.items() if image_id in ids})


@dataclass(frozen=True)
class StackedImages:
    """Images whose channels come from several folders, in the order of the folders, or from several files of one.

    `place` is the (first) folder where each channel has a file of its own, for messages; empty without such files.
    """

    folders: tuple[ImageFiles, ...]
    channels: int
    ranges: tuple[ValueRange, ...] = ()
    place: str = ""
    # Channels per folder by image, and the folders with their ranges by channels per folder. The folders are kept
    # because each has a cache of decoded images.
    _counts: dict[str, tuple[int, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)
    _divided: dict[tuple[int, ...], Sequence[ImageFiles]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def origin(self) -> str:
        """The folders, for messages."""
        return self.place or " and ".join(folder.origin for folder in self.folders)

    @property
    def ids(self) -> tuple[str, ...]:
        """All ids, sorted."""
        return self.folders[0].ids

    def read(self, image_id: str) -> Image:
        """Read the files of one image; raises UnreadableImageError."""
        self.size(image_id)
        return self._joined(image_id, [folder.read(image_id) for folder in self._ranged(image_id)])

    def window(self, image_id: str, window: Window) -> Image:
        """Read the window of each file."""
        refuse_outside(window, self.size(image_id))
        return self._joined(image_id, [folder.window(image_id, window) for folder in self._ranged(image_id)])

    def size(self, image_id: str) -> tuple[int, int]:
        """(height, width) of all files of an image; raises UnreadableImageError if they differ."""
        sizes = [folder.size(image_id) for folder in self.folders]
        if len(set(sizes)) > 1:
            found = ", ".join(
                f"{height}×{width} in {folder.origin}"
                for folder, (height, width) in zip(self.folders, sizes, strict=True)
            )
            raise UnreadableImageError(image_id, f"has different sizes: {found}")
        return sizes[0]

    def content(self, image_id: str) -> bytes:
        """The bytes of all files, for digests."""
        return b"".join(folder.content(image_id) for folder in self.folders) + repr(self.ranges).encode()

    def stamp(self, image_id: str) -> bytes | None:
        """The stamps of all files, and how they are read."""
        how = repr((self.channels, self.ranges)).encode()
        return joined_stamps(how, *(folder.stamp(image_id) for folder in self.folders))

    def stored(self, image_id: str) -> npt.NDArray[Any]:
        """The stored pixels of all files, their channels joined."""
        stored = [folder.stored(image_id) for folder in self.folders]
        return np.concatenate([one.reshape(*one.shape[:2], -1) for one in stored], axis=2)

    def only(self, ids: Container[str]) -> "StackedImages":
        """The images with these ids."""
        return replace(self, folders=tuple(folder.only(ids) for folder in self.folders))

    def _ranged(self, image_id: str) -> Sequence[ImageFiles]:
        """The folders, each with the value ranges of its channels."""
        if len(self.ranges) <= 1:
            return self.folders
        counts = self._counts.get(image_id)
        if counts is None:
            counts = self._counts[image_id] = tuple(
                len(folder.planes) or stored_channels(folder.paths[image_id]) for folder in self.folders
            )
        if sum(counts) != len(self.ranges):
            raise UnreadableImageError(
                image_id, f"has {' + '.join(map(str, counts))} channels, but value_range has {len(self.ranges)} entries"
            )
        ends = np.cumsum(counts).tolist()
        divided = [
            replace(folder, ranges=self.ranges[end - count : end])
            for folder, count, end in zip(self.folders, counts, ends, strict=True)
        ]
        return self._divided.setdefault(counts, divided)

    def _joined(self, image_id: str, images: Sequence[Image]) -> Image:
        found = [image.shape[2] for image in images]
        if sum(found) != self.channels:
            counts = f"{sum(found)} ({len(found)} files)" if self.place else " + ".join(map(str, found))
            raise UnreadableImageError(
                image_id,
                f"has {counts} channels in {self.origin}, but shape asks for {self.channels}",
                f"Set the last entry of shape to {sum(found)}.",
            )
        return np.concatenate(images, axis=2)


def find_image_files(
    folders: Sequence[Path],
    key: str,
    channels: int = 3,
    *,
    pattern: str | None = None,
    names: FileNames = PLAIN_NAMES,
    ranges: tuple[ValueRange, ...] = (),
) -> ImageFiles | StackedImages:
    """List the images of one folder, or of several folders that hold different channels of the same images.

    Args:
        folders: one or more.
        key: the configuration key of the folders, for messages.
        channels: of the images, see `read_image`; for several folders, the total that their files must have.
        pattern: of the file names, see `files_by_id`; with `{channel}`, each channel has files of its own.
        names: how else file names and channels are read.
        ranges: of values of more than 8 bits, see `to_bytes`.

    Raises:
        MissingFileError: a folder does not exist.
        NothingToLearnError: a folder has no image.
        DataError: two files have the same id, the folders have different ids, or a channel lacks files.
    """
    if pattern is not None and CHANNEL in pattern:
        parts = [part for folder in folders for part in _of_channels(folder, key, pattern, names)]
        joined = joined_folders(parts, channels, ranges, names.planes)
        return replace(joined, place=str(folders[0])) if isinstance(joined, StackedImages) else joined
    found = [_of_folder(folder, key, pattern, names) for folder in folders]
    for folder, paths in zip(folders[1:], found[1:], strict=True):
        alone = sorted(set(paths) ^ set(found[0]))
        if alone:
            raise DataError(
                f"{key}: {len(alone)} images are in only one of {folders[0]} and {folder}: {listing(alone, 20)}",
                "Each image needs a file in every folder.",
            )
    return joined_folders(list(zip(map(str, folders), found, strict=True)), channels, ranges, names.planes)


def joined_folders(
    folders: Sequence[tuple[str, Mapping[str, Path]]],
    channels: int,
    ranges: tuple[ValueRange, ...],
    planes: tuple[int, ...] = (),
) -> ImageFiles | StackedImages:
    """The images of one folder, or of several folders that hold different channels of the same images.

    Args:
        folders: name and files of each.
        channels: of the images, see `read_image`; for several folders, the total that their files must have.
        ranges: of values of more than 8 bits: one for all channels, or one for each.
        planes: the channels of each file that are used; all if it is empty.
    """
    if len(folders) == 1:
        return ImageFiles(*folders[0], channels, ranges, planes)
    of_channels = len(ranges) > 1
    listed = [ImageFiles(name, paths, None, () if of_channels else ranges, planes) for name, paths in folders]
    return StackedImages(tuple(listed), channels, ranges if of_channels else ())


def _of_folder(folder: Path, key: str, pattern: str | None, names: FileNames) -> dict[str, Path]:
    _refuse_missing(folder, key)
    return files_by_id(folder, IMAGE_SUFFIXES, key, pattern, template=names.template, exclude=names.exclude)


def _of_channels(folder: Path, key: str, pattern: str, names: FileNames) -> list[tuple[str, Mapping[str, Path]]]:
    """The channels of a folder, with the files of each by id."""
    _refuse_missing(folder, key)
    return files_of_channels(folder, key, pattern, names)


def _refuse_missing(folder: Path, key: str) -> None:
    if folder.is_file():
        raise MissingFileError(
            f"{key}: {folder} is a file, not a folder", f"Name the folder of images: {folder.parent}"
        )
    if not folder.is_dir():
        raise MissingFileError(f"{key}: there is no folder {folder}", path_advice(folder, key))


PATHS_OF_CONFIG = " Paths in a config.yaml are relative to its folder."


def path_advice(path: Path, key: str) -> str:
    """Advice for the path of a key or option that does not exist: a near name, or the part of it that does."""
    parent = next(folder for folder in path.parents if folder.is_dir())
    of_file = "" if key.startswith("--") else PATHS_OF_CONFIG
    near = _near_path(path, parent)
    if near is not None:
        return f"Did you mean {near}?{of_file}"
    return f"{parent.absolute()} exists; check the rest of the path.{of_file}"


def _near_path(path: Path, parent: Path) -> Path | None:
    """A path that exists and differs in the spelling of one name; `parent` is the part of `path` that exists."""
    first, *rest = path.relative_to(parent).parts
    kept = [one.name for one in parent.iterdir() if one.joinpath(*rest).exists()]
    name = nearest(first, kept)
    return None if name is None else parent.joinpath(name, *rest)
