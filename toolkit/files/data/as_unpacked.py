"""The keys that read the files of a competition as it gives them, where they are those that are there."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolkit.config.data.competitions import Competition
from toolkit.files.data.sources import Images, find_images
from toolkit.files.images.channel_files import FileNames
from toolkit.files.images.image_files import find_image_files
from toolkit.files.images.names.names_to_ids import CHANNEL, matching_files


def keys_as_unpacked(competition: Competition, folder: Path) -> dict[str, Any]:
    """The keys below `data` for images in a folder; none if it holds no file of that name."""
    keys = competition.files
    if "image_name" not in keys or not folder.is_dir():
        return {}
    found = matching_files(folder, keys["image_name"], keys.get("image_id"))
    lacking = set(keys.get("channels", ())) - {channel for _, channel, _ in found}
    return {key: value for key, value in keys.items() if found and not (lacking and key in ("channels", "planes"))}


def channels_as_unpacked(keys: Mapping[str, Any], folder: Path) -> int | None:
    """The number of channels of the images that these keys read; None if each is a single file."""
    if CHANNEL not in keys.get("image_name", ""):
        return None
    every = {channel for _, channel, _ in matching_files(folder, keys["image_name"], keys.get("image_id"))}
    return len(keys.get("channels", every)) * max(1, len(keys.get("planes", ())))


def find_unpacked_images(competition: Competition, folder: Path, key: str) -> Images:
    """The images of a folder, named as the competition names them or plainly; raises as `find_image_files`."""
    keys = keys_as_unpacked(competition, folder)
    if not keys:
        return find_images(folder, key)
    names = FileNames(keys.get("image_id"), tuple(keys.get("channels", ())), tuple(keys.get("planes", ())))
    return find_image_files([folder], key, pattern=keys["image_name"], names=names)
