"""Several sources of images and masks, merged into one."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy.typing as npt

from toolkit.core.arrays import Image, Labels, Objects
from toolkit.core.images.windows import Window
from toolkit.errors import DataError, listing
from toolkit.files.data.metadata import Metadata
from toolkit.files.data.sources import Images, LabelledImages
from toolkit.files.disk.digests import joined_stamps

Members = Mapping[str, tuple[int, str]]
"""By id: the position of the image's source, and the image's id in that source."""


@dataclass(frozen=True)
class MergedImages:
    """The images of several sources; `members` says which image is where."""

    sources: tuple[Images, ...]
    members: Members

    @property
    def origin(self) -> str:
        """The origins of the sources."""
        return ", ".join(source.origin for source in self.sources)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """All ids, sorted."""
        return tuple(sorted(self.members))

    def read(self, image_id: str) -> Image:
        """Read one image as `uint8 (height, width, channels)`; raises UnreadableImageError."""
        number, name = self.members[image_id]
        return self.sources[number].read(name)

    def window(self, image_id: str, window: Window) -> Image:
        """Read a window of one image."""
        number, name = self.members[image_id]
        return self.sources[number].window(name, window)

    def size(self, image_id: str) -> tuple[int, int]:
        """(height, width) of an image."""
        number, name = self.members[image_id]
        return self.sources[number].size(name)

    def content(self, image_id: str) -> bytes:
        """What the image is made from, for digests."""
        number, name = self.members[image_id]
        return self.sources[number].content(name)

    def stamp(self, image_id: str) -> bytes | None:
        """The stamp of the image in its source."""
        number, name = self.members[image_id]
        return self.sources[number].stamp(name)

    def only(self, ids: Container[str]) -> "MergedImages":
        """The images with these ids."""
        return replace(self, members={name: member for name, member in self.members.items() if name in ids})


@dataclass(frozen=True)
class MergedMasks:
    """The masks of several sources, each with its own classes and coding."""

    sources: tuple[LabelledImages, ...]
    members: Members
    prefixes: tuple[str, ...]
    size: None = None

    @property
    def ids(self) -> Iterable[str]:
        """Ids that have a mask."""
        return [
            prefix + name
            for prefix, source in zip(self.prefixes, self.sources, strict=True)
            for name in source.masks.ids
        ]

    def read(self, image_id: str, size: tuple[int, int]) -> npt.NDArray[Any]:
        """The labels of one image: pixel values may have different meanings in different sources."""
        return self.labels(image_id)

    def labels(self, image_id: str) -> Labels:
        """The labels of one image, `uint8 (height, width)`; raises DataError."""
        number, name = self.members[image_id]
        return self.sources[number].read_labels(name)

    def window(self, image_id: str, size: tuple[int, int], window: Window) -> Labels:
        """A window of the labels."""
        number, name = self.members[image_id]
        return self.sources[number].window_labels(name, window)

    def read_objects(self, image_id: str, size: tuple[int, int]) -> Objects | None:
        """The objects of one image, if the source knows them."""
        number, name = self.members[image_id]
        return self.sources[number].read_objects(name)

    def content(self, image_id: str) -> bytes:
        """What the mask is made from, and the meaning of its values, for digests."""
        number, name = self.members[image_id]
        source = self.sources[number]
        return source.masks.content(name) + repr(source.classes).encode()

    def stamp(self, image_id: str) -> bytes | None:
        """The stamp of the mask in its source, and the meaning of its values."""
        number, name = self.members[image_id]
        source = self.sources[number]
        return joined_stamps(source.masks.stamp(name), repr(source.classes).encode())


@dataclass(frozen=True)
class MergedData(LabelledImages):
    """Training images of several sources with their labels."""

    masks: MergedMasks = field(kw_only=True)

    def read_labels(self, image_id: str) -> Labels:
        """The labels of one image, read by its source."""
        return self.masks.labels(image_id)

    def read_labels_and_values(self, image_id: str) -> tuple[Labels, npt.NDArray[Any] | None]:
        """The labels of one image, and the values of its source."""
        number, name = self.masks.members[image_id]
        return self.masks.sources[number].read_labels_and_values(name)

    def window_labels(self, image_id: str, window: Window) -> Labels:
        """A window of the labels."""
        return self.masks.window(image_id, (0, 0), window)


def merge(sources: Sequence[tuple[str, str, LabelledImages]]) -> LabelledImages:
    """Merge sources.

    Args:
        sources: each with the prefix of its ids, its configuration key for messages, and its images.

    Raises:
        DataError: two sources have the same id.
    """
    members: dict[str, tuple[int, str]] = {}
    for number, (prefix, key, source) in enumerate(sources):
        twice = [prefix + name for name in source.images.ids if prefix + name in members]
        if twice:
            *_, other = sources[members[twice[0]][0]]
            raise DataError(
                f"{key}: {len(twice)} ids also occur in {other.images.origin}: {listing(twice)}",
                f"Give the ids of {source.images.origin} a prefix, for example prefix: {number}_",
            )
        members |= {prefix + name: (number, name) for name in source.images.ids}
    labelled = tuple(source for *_, source in sources)
    images = MergedImages(tuple(source.images for source in labelled), members)
    masks = MergedMasks(labelled, members, tuple(prefix for prefix, *_ in sources))
    return MergedData(
        images,
        classes=labelled[0].classes,
        masks=masks,
        metadata=_metadata([(prefix, source) for prefix, _, source in sources]),
        positives=_positives([(prefix, source) for prefix, _, source in sources]),
    )


def _metadata(sources: Sequence[tuple[str, LabelledImages]]) -> Metadata:
    """The columns of all sources; cells of a column that a source lacks are empty."""
    columns = tuple(dict.fromkeys(name for _, source in sources for name in source.metadata.columns))
    if not columns:
        return Metadata()
    rows = {}
    for prefix, source in sources:
        known = source.metadata
        for image_id in source.images.ids:
            several = [dict(zip(known.columns, row, strict=True)) for row in known.rows.get(image_id, [()])]
            rows[prefix + image_id] = [tuple(row.get(name, "") for name in columns) for row in several]
    return Metadata(
        columns, rows, " and ".join(source.metadata.origin for _, source in sources if source.metadata.columns)
    )


def _positives(sources: Sequence[tuple[str, LabelledImages]]) -> dict[str, bool] | None:
    """Which images count as having foreground, of the sources that define it; None if no source does."""
    if all(source.positives is None for _, source in sources):
        return None
    return {prefix + name: said for prefix, source in sources for name, said in (source.positives or {}).items()}
