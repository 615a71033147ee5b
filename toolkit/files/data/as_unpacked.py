"""The keys that read the files of a competition as it gives them, where they are those that are there."""

from pathlib import Path
from typing import Any

from toolkit.config.data.competitions import Competition
from toolkit.files.data.sources import Images, find_images
from toolkit.files.images.channel_files import FileNames
from toolkit.files.images.image_files import find_image_files
from toolkit.files.images.names_to_ids import matching_files


def keys_as_unpacked(competition: Competition, folder: Path) -> dict[str, Any]:
    """The keys below `data` for images in a folder; none if it holds no file of that name."""
    keys = competition.files
    if "image_name" not in keys or not folder.is_dir():
        return {}
    return keys if matching_files(folder, keys["image_name"], keys.get("image_id")) else {}


def find_unpacked_images(competition: Competition, folder: Path, key: str) -> Images:
    """The images of a folder, named as the competition names them or plainly; raises as `find_image_files`."""
    keys = keys_as_unpacked(competition, folder)
    if not keys:
        return find_images(folder, key)
    names = FileNames(keys.get("image_id"), tuple(keys.get("channels", ())), tuple(keys.get("planes", ())))
    return find_image_files([folder], key, pattern=keys["image_name"], names=names)
