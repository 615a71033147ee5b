"""Several sources of images and masks as one."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy.typing as npt

from toolkit.core.arrays import Image, Labels, Objects
from toolkit.core.images.windows import Window
from toolkit.errors import DataError
from toolkit.files.data.metadata import Metadata
from toolkit.files.data.sources import Images, LabelledImages

_LISTED = 5

Members = Mapping[str, tuple[int, str]]
"""By id: the number of the source that has it, and what it is called there."""


@dataclass(frozen=True)
class MergedImages:
    """The images of several sources."""

    parts: tuple[Images, ...]
    members: Members

    @property
    def origin(self) -> str:
        """Where they come from."""
        return ", ".join(part.origin for part in self.parts)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """All ids, sorted."""
        return tuple(sorted(self.members))

    def read(self, image_id: str) -> Image:
        """Read one image."""
        number, name = self.members[image_id]
        return self.parts[number].read(name)

    def window(self, image_id: str, window: Window) -> Image:
        """Read a part of one image."""
        number, name = self.members[image_id]
        return self.parts[number].window(name, window)

    def size(self, image_id: str) -> tuple[int, int]:
        """(height, width)."""
        number, name = self.members[image_id]
        return self.parts[number].size(name)

    def content(self, image_id: str) -> bytes:
        """What the image is made from."""
        number, name = self.members[image_id]
        return self.parts[number].content(name)

    def only(self, ids: Container[str]) -> "MergedImages":
        """Those of the images that have one of these ids."""
        return replace(self, members={name: member for name, member in self.members.items() if name in ids})


@dataclass(frozen=True)
class MergedMasks:
    """The masks of several sources, which need not be read alike."""

    parts: tuple[LabelledImages, ...]
    members: Members
    prefixes: tuple[str, ...]
    size: None = None

    @property
    def ids(self) -> Iterable[str]:
        """Ids that have a mask."""
        return [
            prefix + name for prefix, part in zip(self.prefixes, self.parts, strict=True) for name in part.masks.ids
        ]

    def read(self, image_id: str, size: tuple[int, int]) -> npt.NDArray[Any]:
        """The labels: sources that are not read alike have no other numbers in common."""
        return self.labels(image_id)

    def labels(self, image_id: str) -> Labels:
        """The labels of one image."""
        number, name = self.members[image_id]
        return self.parts[number].read_labels(name)

    def window(self, image_id: str, size: tuple[int, int], window: Window) -> Labels:
        """A part of the labels."""
        number, name = self.members[image_id]
        return self.parts[number].window_labels(name, window)

    def read_objects(self, image_id: str, size: tuple[int, int]) -> Objects | None:
        """The objects, where they are known."""
        number, name = self.members[image_id]
        return self.parts[number].read_objects(name)

    def content(self, image_id: str) -> bytes:
        """What the mask is made from, and what its numbers mean."""
        number, name = self.members[image_id]
        part = self.parts[number]
        return part.masks.content(name) + repr(part.classes).encode()


@dataclass(frozen=True)
class MergedData(LabelledImages):
    """Training images of several sources with their labels."""

    masks: MergedMasks = field(kw_only=True)

    def read_labels(self, image_id: str) -> Labels:
        """The labels, as the source of the image reads them."""
        return self.masks.labels(image_id)

    def window_labels(self, image_id: str, window: Window) -> Labels:
        """A part of the labels."""
        return self.masks.window(image_id, (0, 0), window)


def merge(parts: Sequence[tuple[str, str, LabelledImages]]) -> LabelledImages:
    """Unite sources, each with the prefix of its ids and the key that names it.

    Raises:
        DataError: two of them have the same id.
    """
    members: dict[str, tuple[int, str]] = {}
    for number, (prefix, key, part) in enumerate(parts):
        twice = [prefix + name for name in part.images.ids if prefix + name in members]
        if twice:
            *_, other = parts[members[twice[0]][0]]
            listed = f"{', '.join(twice[:_LISTED])}{', …' if len(twice) > _LISTED else ''}"
            raise DataError(
                f"{key}: {len(twice)} ids are those of {other.images.origin} too: {listed}",
                f"Give the ids of {part.images.origin} a beginning of their own: prefix: {number}_",
            )
        members |= {prefix + name: (number, name) for name in part.images.ids}
    labelled = tuple(part for *_, part in parts)
    images = MergedImages(tuple(part.images for part in labelled), members)
    masks = MergedMasks(labelled, members, tuple(prefix for prefix, *_ in parts))
    return MergedData(
        images,
        classes=labelled[0].classes,
        masks=masks,
        metadata=_metadata([(prefix, part) for prefix, _, part in parts]),
        positives=_positives([(prefix, part) for prefix, _, part in parts]),
    )


def _metadata(parts: Sequence[tuple[str, LabelledImages]]) -> Metadata:
    """All columns that any source has; cells are empty where a source does not have them, for those who need them."""
    columns = tuple(dict.fromkeys(name for _, part in parts for name in part.metadata.columns))
    if not columns:
        return Metadata()
    rows = {}
    for prefix, part in parts:
        known = part.metadata
        for image_id in part.images.ids:
            several = [dict(zip(known.columns, row, strict=True)) for row in known.rows.get(image_id, [()])]
            rows[prefix + image_id] = [tuple(row.get(name, "") for name in columns) for row in several]
    return Metadata(columns, rows, " and ".join(part.metadata.origin for _, part in parts if part.metadata.columns))


def _positives(parts: Sequence[tuple[str, LabelledImages]]) -> dict[str, bool] | None:
    """What those sources say that say it."""
    if all(part.positives is None for _, part in parts):
        return None
    return {prefix + name: said for prefix, part in parts for name, said in (part.positives or {}).items()}
