"""The protocols of images and masks, and labelled images: images, their masks and what else is known of each."""

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy.typing as npt

from toolkit.core.arrays import Image, Labels, Objects
from toolkit.core.images.value_range import ValueRange
from toolkit.core.images.windows import Window
from toolkit.core.masks.labels import BINARY, Classes, OverlapError, UnknownValuesError
from toolkit.core.masks.mask_codings import ByValue
from toolkit.core.masks.rle import RleError
from toolkit.errors import DataError, counted, listing
from toolkit.files.data.metadata import Metadata
from toolkit.files.images.image_files import find_image_files
from toolkit.files.images.recently_decoded import RecentlyDecoded
from toolkit.files.images.window_reading import cut, refuse_outside
from toolkit.files.masks.mask_files import EmptyMasks, MaskFiles

_TURNED = (
    "Height and width are swapped. Either the mask was written transposed: turn it. Or the image has an orientation "
    "tag (EXIF) and its mask was drawn on the rotated image: save the image as it is shown, without the tag."
)
_OTHER_SIZE = "Check that data.images and data.masks belong together, or scale the mask to its image."
NO_MASK = (
    "What an image without a mask means is said under data: unlabelled: empty (it shows no foreground), or unlabelled: "
    "leave_out (it is not used). If it has a mask, check data.masks and data.mask_name."
)
"""The advice about images without a mask."""
_BROKEN_RUNS = (
    "Runs are pairs of start and length, and the first pixel is number 1. If they are counted from 0, add 1 to every "
    "start; if starts are relative, or the masks have another size than the images, say so in data.competition "
    "(relative, label_size; docs/competitions.md). Otherwise write these rows again."
)
_Read = TypeVar("_Read")


class Images(Protocol):
    """Images by id, in the order of the ids."""

    @property
    def ids(self) -> tuple[str, ...]:
        """All ids, sorted."""

    @property
    def origin(self) -> str:
        """The source of the images, for messages."""

    def read(self, image_id: str) -> Image:
        """Read one image as `uint8 (height, width, channels)`; raises UnreadableImageError."""

    def window(self, image_id: str, window: Window) -> Image:
        """Read a window of one image as `uint8 (height, width, channels)`.

        The rest is not read if the file allows that; otherwise the whole image is kept for the next windows.

        Raises:
            UnreadableImageError: as `read`.
            ValueError: the window is not inside the image.
        """

    def size(self, image_id: str) -> tuple[int, int]:
        """(height, width) of an image, from its header alone if it has one; raises UnreadableImageError."""

    def content(self, image_id: str) -> bytes:
        """What the image is made from, for digests."""

    def stamp(self, image_id: str) -> bytes | None:
        """What changes whenever `content` does, found without reading files; None if that cannot be said."""

    def only(self, ids: Container[str]) -> "Images":
        """The images with these ids."""


class MaskSource(Protocol):
    """A source of masks: files, tables, shapes, the user's own class and so on."""

    @property
    def ids(self) -> Iterable[str]:
        """Ids that have a mask, possibly an empty one."""

    @property
    def size(self) -> tuple[int, int] | None:
        """(height, width) of the masks before they are scaled to their images; None if they are not scaled."""

    def read(self, image_id: str, size: tuple[int, int]) -> npt.NDArray[Any]:
        """The mask of an image of (height, width).

        Returns:
            pixel values, bool or whole numbers `(height, width)`, or a plane per class, `(height, width, classes)`.

        Raises:
            KeyError: the image has no mask.
            UnreadableImageError, UnknownValuesError, RleError: the mask cannot be read.
        """

    def window(self, image_id: str, size: tuple[int, int], window: Window) -> npt.NDArray[Any] | None:
        """The window of what `read` gives, without reading the rest; None if that is impossible. Raises as `read`."""

    def read_objects(self, image_id: str, size: tuple[int, int]) -> Objects | None:
        """The objects of an image, `int32 (height, width)` numbered from 1, or None if unknown; raises as `read`."""

    def content(self, image_id: str) -> bytes:
        """What the mask is made from, for digests."""

    def stamp(self, image_id: str) -> bytes | None:
        """What changes whenever `content` does, found without reading files; None if that cannot be said."""


@dataclass(frozen=True)
class LabelledImages:
    """Training images with their masks, classes and metadata.

    `positives` says by id whether an image counts as having foreground; for other ids, and if it is None, the mask
    decides.
    """

    images: Images
    masks: MaskSource
    classes: Classes = BINARY
    metadata: Metadata = field(default_factory=Metadata, kw_only=True)
    positives: Mapping[str, bool] | None = field(default=None, kw_only=True)
    _decoded: RecentlyDecoded = field(default_factory=RecentlyDecoded, init=False, repr=False, compare=False)

    def refuse_missing_masks(self) -> None:
        """Check that every image has a mask; nothing is read.

        Raises:
            DataError: some have none.
        """
        there = set(self.masks.ids)
        missing = [image_id for image_id in self.images.ids if image_id not in there]
        if missing:
            which = f"{len(missing)} of {counted(len(self.images.ids), 'image')} in {self.images.origin}"
            have = "has" if len(missing) == 1 else "have"
            raise DataError(f"{which} {have} no mask: {listing(missing)}", NO_MASK)

    def read_labels(self, image_id: str) -> Labels:
        """The class of each pixel of one image, `uint8 (height, width)`.

        Raises:
            DataError: the mask is missing or unreadable, has another size than its image, or has values of no class.
        """
        return self.read_labels_and_values(image_id)[0]

    def read_labels_and_values(self, image_id: str) -> tuple[Labels, npt.NDArray[Any] | None]:
        """The labels of one image, and the values `(height, width)` that they come from, unless these are planes.

        Of mask files that are read by their values, the values are as stored: with all channels.

        Raises:
            DataError: as `read_labels`.
        """
        size = self.images.size(image_id)
        stored = None
        files, coding = self.masks, getattr(self.masks, "coding", None)
        if isinstance(files, MaskFiles) and isinstance(coding, ByValue) and image_id not in files.empty:
            stored = self._read(lambda name, _: files.stored(name), image_id, size)
            raw = self._read(lambda _, __: coding.decode(stored), image_id, size)
        else:
            raw = self._read(self.masks.read, image_id, size)
        if raw.shape[:2] != size:
            raise other_size(image_id, raw.shape[:2], size)
        values = raw if stored is None else stored
        return self._labels(image_id, raw), values if raw.ndim == 2 else None

    def window_labels(self, image_id: str, window: Window) -> Labels:
        """The class of each pixel in a window of one image, `uint8 (height, width)`.

        The rest is not read if the source of the masks allows that; otherwise the labels of the whole image are kept
        for the next windows.

        Raises:
            DataError: as `read_labels`.
            ValueError: the window is not inside the image.
        """
        size = self.images.size(image_id)
        refuse_outside(window, size)
        raw = self._read(lambda name, size: self.masks.window(name, size, window), image_id, size)
        if raw is not None:
            return self._labels(image_id, raw)
        return cut(self._decoded.get(image_id, lambda: self.read_labels(image_id)), window)

    def _labels(self, image_id: str, raw: npt.NDArray[Any]) -> Labels:
        try:
            return self.classes.labels(raw) if raw.ndim == 2 else self.classes.labels_of_planes(raw)
        except UnknownValuesError as error:
            raise _unknown(image_id, error) from error
        except OverlapError as error:
            raise DataError(f"{image_id}: {error}", "See docs/competitions.md for ways to resolve this.") from error

    def read_objects(self, image_id: str) -> Objects | None:
        """The objects of one image, `int32 (height, width)` numbered from 1, or None if they are unknown.

        Raises:
            DataError: as `read_labels`.
        """
        return self._read(self.masks.read_objects, image_id, self.images.size(image_id))

    def _read(self, read: Callable[[str, tuple[int, int]], _Read], image_id: str, size: tuple[int, int]) -> _Read:
        try:
            return read(image_id, size)
        except KeyError as error:
            raise DataError(f"{image_id}: the mask is missing", NO_MASK) from error
        except UnknownValuesError as error:
            raise _unknown(image_id, error) from error
        except RleError as error:
            height, width = size
            raise DataError(
                f"{image_id}: the run-length encoding is not valid for an image of {height}×{width}: {error}",
                _BROKEN_RUNS,
            ) from error


def _unknown(image_id: str, error: UnknownValuesError) -> DataError:
    return DataError(f"{image_id}: the mask has {error}", error.advice)


def find_images(folder: Path, key: str, channels: int = 3, ranges: tuple[ValueRange, ...] = ()) -> Images:
    """List the images of a folder; raises as `find_image_files`.

    Args:
        folder: of the images.
        key: the configuration key of the folder, for messages.
        channels: of the images, see `read_image`.
        ranges: of values of more than 8 bits, see `to_bytes`.
    """
    return find_image_files([folder], key, channels, ranges=ranges)


def find_negatives(
    folder: Path, classes: Classes, channels: int, key: str, ranges: tuple[ValueRange, ...] = ()
) -> LabelledImages:
    """List images without any foreground, with empty masks; raises as `find_image_files`."""
    found = find_images(folder, key, channels, ranges)
    return LabelledImages(found, EmptyMasks(found.ids), Classes(classes.names, classes.activation))


def other_size(image_id: str, mask: tuple[int, ...], image: tuple[int, int]) -> DataError:
    """The error about a mask of another (height, width) than its image."""
    height, width = image
    return DataError(
        f"{image_id}: the mask is {mask[0]}×{mask[1]}, but the image is {height}×{width}",
        _TURNED if mask == (width, height) else _OTHER_SIZE,
    )
