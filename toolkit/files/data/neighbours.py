"""Puts slices of volumes beside their neighbours, as `data.neighbours` says."""

import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from toolkit.config.data.data import SourceKeys
from toolkit.config.data.folds import GroupPattern
from toolkit.config.data.neighbours import Neighbours, parts_of
from toolkit.core.arrays import Image
from toolkit.core.images.neighbours import SliceNumberError, stack_of
from toolkit.errors import ConfigError, DataError, counted, listing, listing_lines
from toolkit.files.data.merging import MergedImages
from toolkit.files.data.metadata import read_metadata
from toolkit.files.data.sources import Images
from toolkit.files.images.image_files import ImageFiles, StackedImages
from toolkit.files.images.neighbouring_slices import NeighbouringSlices

_PARTS = re.compile(r"(\{\w+\})")


@dataclass(frozen=True)
class MetadataFile:
    """The table of `data.metadata`: its path, the column of ids, and what stands before the ids of a source in it."""

    path: Path | None = None
    id_column: str | None = None
    prefix: str = ""


NO_METADATA = MetadataFile()


def channels_of_slice(keys: SourceKeys, channels: int) -> int:
    """The channels of each slice, where images have so many channels in all."""
    return channels if keys.neighbours is None else max(1, channels // len(keys.neighbours.offsets))


def with_neighbours(
    slices: ImageFiles | StackedImages,
    keys: SourceKeys,
    key: str,
    metadata: MetadataFile,
    ids: Mapping[str, str] | None = None,
) -> ImageFiles | StackedImages | NeighbouringSlices:
    """Images of slices with their neighbours; the images as they are if the configuration asks for none.

    Args:
        slices: of all volumes.
        keys: of the source.
        key: the configuration key or option of the images, for messages.
        metadata: where columns are found.
        ids: the ids that numbers and volumes are read from, where they are not those of the images.

    Raises:
        MissingFileError: the table does not exist.
        ConfigError: a slice has no number or volume, slices of a volume have the same number, or one is missing.
    """
    spec = keys.neighbours
    if spec is None:
        return slices
    reader = _Reader(spec, keys.image_id, key, metadata, ids or {one: one for one in slices.ids})
    volumes, numbers = reader.volumes(slices.ids), reader.numbers(slices.ids)
    together: dict[str, dict[str, float]] = defaultdict(dict)
    for image_id in slices.ids:
        together[volumes[image_id]][image_id] = numbers[image_id]
    neighbours: dict[str, tuple[str, ...]] = {}
    at_edge: set[str] = set()
    filled: set[str] = set()
    wrong: dict[str, SliceNumberError] = {}
    for name, of_volume in together.items():
        try:
            stack = stack_of(of_volume, spec.offsets, nearest=spec.gaps == "nearest")
        except SliceNumberError as error:
            wrong[name] = error
            continue
        neighbours |= stack.neighbours
        at_edge |= stack.at_edge
        filled |= stack.filled
    if wrong:
        raise _out_of_order(
            wrong, spec, f"data.neighbours: {len(wrong)} of {counted(len(together), 'volume')} in {slices.origin}"
        )
    return NeighbouringSlices(
        slices, neighbours, spec.own, volumes, frozenset(at_edge), spec.edges == "repeat", frozenset(filled)
    )


def _out_of_order(wrong: Mapping[str, SliceNumberError], spec: Neighbours, which: str) -> ConfigError:
    """The error about volumes whose slices have no order, or whose numbers have gaps."""
    lines = [f"{name}: {error}" if name else str(error) for name, error in wrong.items()]
    if all(error.is_gap for error in wrong.values()):
        return ConfigError(
            f"{which} {'lacks' if len(wrong) == 1 else 'lack'} slices:\n{listing_lines(lines)}",
            "Add the missing slices. Or, to let the nearest slice stand for a missing one, write under "
            "data.neighbours: gaps: nearest",
        )
    alone = "is not set, so all images form one volume" if spec.group_by is None else "says which slices form a volume"
    return ConfigError(
        f"{which} {'has' if len(wrong) == 1 else 'have'} slices whose numbers say no order:\n{listing_lines(lines)}",
        f"Correct data.neighbours.order_by, which gives the numbers, or data.neighbours.group_by, which {alone}.",
    )


@dataclass(frozen=True)
class _Reader:
    """Reads numbers and volumes of slices from ids or from a table."""

    spec: Neighbours
    template: str | None
    key: str
    metadata: MetadataFile
    ids: Mapping[str, str]

    def numbers(self, images: Sequence[str]) -> dict[str, float]:
        """The number of each slice by the id of its image."""
        texts = self._texts(self.spec.order_by, "order_by", images)
        found = {image_id: _number(text) for image_id, text in texts.items()}
        wrong = [f"{texts[image_id]!r} ({image_id})" for image_id, number in found.items() if math.isnan(number)]
        if wrong:
            raise ConfigError(
                f"data.neighbours.order_by: {len(wrong)} of {len(found)} slices in {self.key} have no number: "
                f"{listing(wrong)}",
                "Name a part or a column that holds nothing but numbers, or read the digits from the ids, for example "
                'order_by: {pattern: ".*?(\\\\d+)"}',
            )
        return found

    def volumes(self, images: Sequence[str]) -> dict[str, str]:
        """The name of the volume of each slice by the id of its image."""
        spec = self.spec.group_by
        if spec is None:
            return dict.fromkeys(images, "")
        parts = [self._texts(one, "group_by", images) for one in (spec if isinstance(spec, tuple) else (spec,))]
        found = {image_id: "_".join(part[image_id] for part in parts) for image_id in images}
        lacking = [image_id for image_id in images if not all(part[image_id] for part in parts)]
        if lacking:
            raise ConfigError(
                f"data.neighbours.group_by: {len(lacking)} of {len(found)} slices in {self.key} have no volume: "
                f"{listing(lacking)}"
            )
        return found

    def _texts(self, spec: str | GroupPattern, name: str, images: Sequence[str]) -> dict[str, str]:
        where = f"data.neighbours.{name}"
        if isinstance(spec, GroupPattern):
            return self._matched(spec.pattern, where, images)
        if spec in parts_of(self.template):
            return self._matched(_expression_of(self.template or "", spec), where, images)
        if self.metadata.path is None:
            raise ConfigError(
                f"{where}: {spec!r} is no part of data.image_id, and there is no data.metadata with a column of this "
                "name",
                f'Read it from the ids, for example {name}: {{pattern: "(.+)_\\\\d+"}}',
            )
        return self._column(self.metadata.path, spec, where, images)

    def _matched(self, pattern: str, where: str, images: Sequence[str]) -> dict[str, str]:
        matches = {image_id: re.fullmatch(pattern, self.ids[image_id]) for image_id in images}
        missing = [self.ids[image_id] for image_id, match in matches.items() if match is None]
        if missing:
            raise ConfigError(
                f"{where}: {len(missing)} of {len(matches)} ids in {self.key} do not match {pattern!r}: "
                f"{listing(missing)}",
                "The pattern must match every whole id.",
            )
        return {
            image_id: "/".join(part or "" for part in match.groups())
            for image_id, match in matches.items()
            if match is not None
        }

    def _column(self, path: Path, column: str, where: str, images: Sequence[str]) -> dict[str, str]:
        ids = [f"{self.metadata.prefix}{self.ids[image_id]}" for image_id in images]
        try:
            table = read_metadata(path, self.metadata.id_column, ids)
            found = dict(zip(sorted(table.rows), table.column(column), strict=True))
        except DataError as error:
            raise ConfigError(
                f"{where}: {self.key}: {error.message}",
                error.advice or "Numbers and volumes can also be read from the ids, by a pattern: see docs/data.md.",
            ) from error
        return {image_id: found[one].strip() for image_id, one in zip(images, ids, strict=True)}


def _expression_of(template: str, part: str) -> str:
    """The expression that finds one part of an id in ids that a template makes."""
    seen: set[str] = set()
    expression = ""
    for one in _PARTS.split(template):
        name = one.strip("{}")
        if not _PARTS.fullmatch(one):
            expression += re.escape(one)
        elif name == part:
            expression += "(.+)" if name not in seen else r"\1"
        else:
            expression += "(?:.+)"
        seen.add(name)
    return expression


def _number(text: str) -> float:
    """The number that a text says; not a number if it says none."""
    try:
        number = float(text)
    except ValueError:
        return math.nan
    return number if math.isfinite(number) else math.nan


@runtime_checkable
class WrappedImages(Protocol):
    """Images that are read from others with the same ids."""

    @property
    def wrapped(self) -> Images:
        """The others."""


def own_slices(images: Images) -> Images:
    """The images without their neighbours: what pictures show and what the files hold."""
    if isinstance(images, NeighbouringSlices):
        return images.slices.only(images.neighbours)
    if isinstance(images, MergedImages):
        return MergedImages(tuple(map(own_slices, images.sources)), images.members)
    return images


def own_channels(images: Images, image_id: str, image: Image) -> Image:
    """The channels of the slice itself in an image with neighbours; all channels of other images."""
    if isinstance(images, MergedImages):
        number, name = images.members[image_id]
        return own_channels(images.sources[number], name, image)
    if isinstance(images, WrappedImages):
        return own_channels(images.wrapped, image_id, image)
    return images.own(image) if isinstance(images, NeighbouringSlices) else image


def own_pixels(images: Images, image_id: str) -> Image:
    """What pictures show of an image, `uint8 (height, width, channels)`: the slice itself if it has neighbours.

    Raises:
        UnreadableImageError: as `Images.read`.
    """
    return own_channels(images, image_id, images.read(image_id))


def volumes_of(images: Images) -> dict[str, str] | None:
    """The volume of each image; None if images have no neighbours. Other images are volumes of their own."""
    found = {image_id: _of_source(images, image_id) for image_id in images.ids}
    if not any(source is not None for source, *_ in found.values()):
        return None
    return {
        image_id: image_id if source is None else f"{prefix}{source.volumes[name]}" or "all"
        for image_id, (source, name, prefix) in found.items()
    }


def neighbours_of(images: Images, image_id: str) -> tuple[str, ...]:
    """The ids of the slices that an image consists of, as the images are named; empty if it has no neighbours."""
    source, name, prefix = _of_source(images, image_id)
    return () if source is None else tuple(f"{prefix}{one}" for one in source.neighbours[name])


def is_left_out(images: Images, image_id: str) -> bool:
    """Whether an image is not trained on, because it lies at the edge of its volume."""
    source, name, _ = _of_source(images, image_id)
    return source is not None and not source.trains_at_edge and name in source.at_edge


def _of_source(images: Images, image_id: str) -> tuple[NeighbouringSlices | None, str, str]:
    """The source of an image that has neighbours, its name there, and the prefix of the ids of this source."""
    if isinstance(images, MergedImages):
        number, name = images.members[image_id]
        source, inner, _ = _of_source(images.sources[number], name)
        return source, inner, image_id.removesuffix(name)
    return (images, image_id, "") if isinstance(images, NeighbouringSlices) else (None, image_id, "")
