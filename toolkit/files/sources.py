"""Training and test data on disk: which images there are and where their masks come from."""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from toolkit.config.competitions import PLAIN, Competition
from toolkit.core.arrays import Image
from toolkit.core.labels import BINARY, Classes, Labels, OverlapError, UnknownValuesError
from toolkit.core.measuring import Objects
from toolkit.core.rle import RleError
from toolkit.errors import DataError, MissingFileError, NothingToLearnError
from toolkit.files.image_files import ImageFiles
from toolkit.files.images import IMAGE_SUFFIXES, MASK_SUFFIXES, image_id_of, read_mask_part, read_mask_values, read_size
from toolkit.files.mask_tables import read_mask_table
from toolkit.files.recent import RecentArrays
from toolkit.files.tiff_files import Box
from toolkit.files.windows import cut, refuse_outside

_LISTED = 20
_Read = TypeVar("_Read")


class Images(Protocol):
    """Images by id, in the order of the ids."""

    @property
    def ids(self) -> tuple[str, ...]:
        """All ids, sorted."""

    @property
    def origin(self) -> str:
        """Where they come from, for messages."""

    def read(self, image_id: str) -> Image:
        """Read one image as `uint8 (height, width, channels)`; raises UnreadableImageError."""

    def window(self, image_id: str, top: int, left: int, height: int, width: int) -> Image:
        """The part `uint8 (height, width, channels)` of an image that begins at a row and column and lies inside it.

        The rest is not read where the file allows that; else what was read last is kept for the next part.

        Raises:
            UnreadableImageError: as `read`.
            ValueError: the part is not inside the image.
        """

    def size(self, image_id: str) -> tuple[int, int]:
        """(height, width) of an image, from its header alone where it has one; raises UnreadableImageError."""

    def content(self, image_id: str) -> bytes:
        """What the image is made from, for digests."""

    def only(self, ids: Container[str]) -> "Images":
        """Those of the images that have one of these ids."""


class MaskSource(Protocol):
    """Where masks come from."""

    @property
    def ids(self) -> Iterable[str]:
        """Ids that have a mask, which may be empty."""

    @property
    def size(self) -> tuple[int, int] | None:
        """(height, width) of the masks before they are scaled to their images; None where that need not be done."""

    def read(self, image_id: str, size: tuple[int, int]) -> npt.NDArray[Any]:
        """Pixel values of an image of (height, width), bool or whole, or planes, `bool (height, width, classes)`.

        Raises:
            KeyError, UnreadableImageError, RleError: there is no mask, or it cannot be read.
        """

    def window(self, image_id: str, size: tuple[int, int], box: Box) -> npt.NDArray[Any] | None:
        """The part of what `read` gives, without reading the rest; None where that cannot be. Raises as `read`."""

    def read_objects(self, image_id: str, size: tuple[int, int]) -> Objects | None:
        """The objects of an image of (height, width) where they are known; raises as `read`."""

    def content(self, image_id: str) -> bytes:
        """What the mask is made from, for digests."""


@dataclass(frozen=True)
class MaskFiles:
    """Masks as image files named like their images."""

    paths: Mapping[str, Path]
    size: None = None

    @property
    def ids(self) -> Iterable[str]:
        """Ids that have a mask file."""
        return self.paths.keys()

    def read(self, image_id: str, size: tuple[int, int]) -> npt.NDArray[Any]:
        """Read one mask; its size is its own, to be compared with `size` by the caller."""
        return read_mask_values(self.paths[image_id])

    def window(self, image_id: str, size: tuple[int, int], box: Box) -> npt.NDArray[Any] | None:
        """Read a part of one mask; None where the file has no parts, or another size than `size`."""
        path = self.paths[image_id]
        return read_mask_part(path, box) if read_size(path) == size else None

    def read_objects(self, image_id: str, size: tuple[int, int]) -> Objects | None:
        """None: a mask does not tell objects that touch."""
        return None

    def content(self, image_id: str) -> bytes:
        """The bytes of the file."""
        return self.paths[image_id].read_bytes()


@dataclass(frozen=True)
class EmptyMasks:
    """Masks of images that show nothing of what is looked for."""

    ids: tuple[str, ...]
    size: None = None

    def read(self, image_id: str, size: tuple[int, int]) -> npt.NDArray[Any]:
        """Background everywhere."""
        return np.zeros(size, np.bool_)

    def window(self, image_id: str, size: tuple[int, int], box: Box) -> npt.NDArray[Any]:
        """Background everywhere."""
        return np.zeros(box[2:], np.bool_)

    def read_objects(self, image_id: str, size: tuple[int, int]) -> Objects | None:
        """No object at all."""
        return np.zeros(size, np.int32)

    def content(self, image_id: str) -> bytes:
        """Nothing."""
        return b""


@dataclass(frozen=True)
class LabelledImages:
    """Training images with their masks."""

    images: Images
    masks: MaskSource
    classes: Classes = BINARY
    _recent: RecentArrays = field(default_factory=RecentArrays, init=False, repr=False, compare=False)

    def read_labels(self, image_id: str) -> Labels:
        """The class of each pixel of one image, `uint8 (height, width)`.

        Raises:
            DataError: there is no mask, it cannot be read, does not fit its image, or has values of no class.
        """
        height, width = size = self.images.size(image_id)
        raw = self._read(self.masks.read, image_id, size)
        if raw.shape[:2] != size:
            raise DataError(f"{image_id}: the mask is {raw.shape[0]}×{raw.shape[1]}, the image {height}×{width}")
        return self._labels(image_id, raw)

    def window_labels(self, image_id: str, top: int, left: int, height: int, width: int) -> Labels:
        """The part `uint8 (height, width)` of the labels that begins at a row and column and lies inside the image.

        The rest is not read where the source of the masks allows that; else labels that were read last are kept.

        Raises:
            DataError: as `read_labels`.
            ValueError: the part is not inside the image.
        """
        size, box = self.images.size(image_id), (top, left, height, width)
        refuse_outside(box, size)
        raw = self._read(lambda name, size: self.masks.window(name, size, box), image_id, size)
        if raw is not None:
            return self._labels(image_id, raw)
        return cut(self._recent.get(image_id, lambda: self.read_labels(image_id)), box)

    def _labels(self, image_id: str, raw: npt.NDArray[Any]) -> Labels:
        try:
            return self.classes.labels(raw) if raw.ndim == 2 else self.classes.labels_of_planes(raw)
        except UnknownValuesError as error:
            raise DataError(f"{image_id}: its mask has {error}") from error
        except OverlapError as error:
            raise DataError(f"{image_id}: {error}", "See docs/competitions.md for what can be done.") from error

    def read_objects(self, image_id: str) -> Objects | None:
        """The objects of one image, `int32 (height, width)`, where the source of the masks knows them.

        Raises:
            DataError: as `read_labels`.
        """
        return self._read(self.masks.read_objects, image_id, self.images.size(image_id))

    def _read(self, read: Callable[[str, tuple[int, int]], _Read], image_id: str, size: tuple[int, int]) -> _Read:
        try:
            return read(image_id, size)
        except KeyError as error:
            raise DataError(f"{image_id}: no mask") from error
        except RleError as error:
            height, width = size
            raise DataError(f"{image_id}: its RLE does not fit its image of {height}×{width}: {error}") from error


def find_images(folder: Path, key: str, channels: int = 3) -> Images:
    """List the images of a folder; `key` is the configuration key that names it, for messages.

    Raises:
        MissingFileError: no such folder.
        NothingToLearnError: no image in it.
        DataError: two files have the same id.
    """
    if not folder.is_dir():
        raise MissingFileError(f"{key}: there is no folder {folder}", _path_advice(folder))
    return ImageFiles(str(folder), _by_id(folder, IMAGE_SUFFIXES, key), channels)


def find_training_data(
    images: Path,
    masks: Path,
    classes: Classes = BINARY,
    channels: int = 3,
    key: str = "data",
    *,
    competition: Competition = PLAIN,
) -> LabelledImages:
    """List training images and the source of their masks; nothing is decoded yet.

    Raises:
        MissingFileError, NothingToLearnError, DataError: as `find_images` and `read_mask_table`.
    """
    found = find_images(images, f"{key}.images", channels)
    if masks.is_dir():
        return LabelledImages(found, MaskFiles(_by_id(masks, MASK_SUFFIXES, f"{key}.masks")), classes)
    if masks.is_file():
        return LabelledImages(found, read_mask_table(masks, competition, classes, found.ids, f"{key}.masks"), classes)
    raise MissingFileError(f"{key}.masks: there is no folder or CSV file {masks}", _path_advice(masks))


def find_negatives(folder: Path, classes: Classes, channels: int, key: str) -> LabelledImages:
    """List images that show nothing of what is looked for; raises as `find_images`."""
    found = find_images(folder, key, channels)
    return LabelledImages(found, EmptyMasks(found.ids), Classes(classes.names, classes.activation))


def _by_id(folder: Path, suffixes: Sequence[str], key: str) -> dict[str, Path]:
    paths: dict[str, Path] = {}
    twice = []
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise MissingFileError(f"{key}: cannot read {folder}: {error.strerror}") from error
    for path in entries:
        if path.suffix.lower() in suffixes and not path.name.startswith(".") and not path.is_dir():
            image_id = image_id_of(path.name)
            if image_id in paths:
                twice.append(f"  {image_id}: {paths[image_id].name} and {path.name}")
            paths[image_id] = path
    if twice:
        listed = "\n".join(twice[:_LISTED])
        raise DataError(f"{key}: {len(twice)} ids stand for two files in {folder}:\n{listed}", "Keep one of each.")
    undecodable = [image_id for image_id in paths if image_id.encode(errors="replace").decode() != image_id]
    if undecodable:
        raise DataError(f"{key}: the file name {undecodable[0]!r} in {folder} is not UTF-8", "Rename this file.")
    if not paths:
        raise NothingToLearnError(f"{key}: {folder} holds no file that ends in {', '.join(suffixes)}")
    return paths


def _path_advice(path: Path) -> str:
    parent = next(folder for folder in path.parents if folder.is_dir())
    return f"{parent.absolute()} exists; check the rest of the path. Paths in a config.yaml are relative to its folder."
