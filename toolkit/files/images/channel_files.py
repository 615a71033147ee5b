"""Images whose channels are files of their own, named by a pattern with `{channel}`."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from toolkit.errors import DataError, listing, listing_lines
from toolkit.files.images.names.names_to_ids import named_files


@dataclass(frozen=True)
class FileNames:
    """How the names of image files are read, besides their pattern.

    Attributes:
        template: how parts of the pattern make the id, see `files_by_id`.
        channels: the names that `{channel}` stands for, in this order; empty for all.
        planes: the channels of each file that are used, counted from 0; empty for all.
        exclude: patterns of the names of files that are left out, with `*` for any text.
    """

    template: str | None = None
    channels: tuple[str, ...] = ()
    planes: tuple[int, ...] = ()
    exclude: tuple[str, ...] = ()


PLAIN_NAMES = FileNames()
"""The id is one piece of a file name, and all channels of a file are used."""


def files_of_channels(folder: Path, key: str, pattern: str, names: FileNames) -> list[tuple[str, Mapping[str, Path]]]:
    """The files of each channel by id, with the name of the channel for messages.

    Raises:
        MissingFileError, NothingToLearnError: as `named_files`.
        DataError: an image lacks a channel or has two files for it, or there is no channel of a name.
    """
    found = named_files(folder, (), key, pattern, template=names.template, exclude=names.exclude)
    channels: dict[str, dict[str, Path]] = {}
    for image_id, files in found.items():
        for channel, path in files:
            taken = channels.setdefault(channel, {}).setdefault(image_id, path)
            if taken != path:
                raise DataError(
                    f"{key}: the channel {channel} of {image_id} has two files in {folder}: {taken} and {path}",
                    "Keep one file for each channel, or make image_name more exact.",
                )
    unknown = [name for name in names.channels if name not in channels]
    if unknown:
        raise DataError(
            f"{key}: there is no channel {listing(unknown)} in {folder}; the channels of {pattern} are "
            f"{listing(in_order(channels), 20)}",
            "Correct data.channels.",
        )
    chosen = names.channels or in_order(channels)
    lacking = [
        f"{image_id}: {listing([name for name in chosen if image_id not in channels[name]])}"
        for image_id in found
        if any(image_id not in channels[name] for name in chosen)
    ]
    if lacking:
        raise DataError(
            f"{key}: {len(lacking)} of {len(found)} images in {folder} lack channels:\n{listing_lines(lacking)}",
            "Name the channels that every image has in data.channels, or remove these images.",
        )
    return [(f"channel {name} of {folder}", channels[name]) for name in chosen]


def in_order(names: Iterable[str]) -> list[str]:
    """Names of channels in the order of their numbers: 2 before 10."""
    return sorted(names, key=lambda name: [(part.zfill(20), part) for part in re.split(r"(\d+)", name)])
