"""Files on disk: all of a folder, and those that what was found names."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from toolkit.config.yaml.file_paths import absolute, visible_files


def files_below(folder: Path, left_out: Collection[Path] = ()) -> Iterator[Path]:
    """All files in a folder and below it, through links too; hidden ones, and folders that are left out, are not given.

    `left_out` are absolute paths.
    """
    for _, paths in visible_files(folder, lambda place: absolute(place) not in left_out):
        yield from (path for path in paths if path.is_file())


def paths_named_in(found: Any) -> Iterator[Path]:
    """Every path in images, masks and whatever else is made of dataclasses, mappings and lists."""
    if isinstance(found, Path):
        yield found
    elif isinstance(found, str | bytes):
        return
    elif isinstance(found, Mapping):
        for value in found.values():
            yield from paths_named_in(value)
    elif isinstance(found, list | tuple | set | frozenset):
        for value in found:
            yield from paths_named_in(value)
    elif is_dataclass(found):
        for one in fields(found):
            yield from paths_named_in(getattr(found, one.name))
