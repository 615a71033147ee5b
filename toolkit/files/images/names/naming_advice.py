"""The lines to write where images and masks have different names."""

import re
from collections.abc import Collection
from pathlib import Path

from toolkit.files.images.decoding import image_id_of
from toolkit.files.images.names.image_folder import ImageFolder
from toolkit.files.images.names.kinds_in_folder import is_mask_kind, kinds_of
from toolkit.files.images.names.pairing import Pairing, pair_up, split_mixed
from toolkit.files.images.names.shared_names import share_names

_MOST = 0.5


def names_advice(images: Collection[Path], masks: Collection[Path]) -> str:
    """The lines for files of images and masks whose names differ, or what differs if no line can say it."""
    of_images, of_masks = _folder(images), _folder(masks)
    best = max(
        (pairing for kind in split_mixed(of_masks) if (pairing := pair_up(of_images, kind)) is not None),
        key=lambda pairing: (pairing.share * len(pairing.images.paths), pairing.share),
        default=None,
    )
    if best is not None and best.share >= _MOST:
        return lines_of(best)
    for what, plain in (("upper and lower case", str.casefold), ("leading zeros", _without_zeros)):
        names = set(map(plain, of_images.paths))
        shared = share_names(names, set(map(plain, of_masks.paths)))
        if shared is not None and shared.count >= _MOST * len(names):
            return f"Their names differ in {what}. Rename the files of one folder after those of the other."
    return (
        "The mask of an image has its name. Check both folders. If names have more than the id that both share, give "
        'patterns under data, for example image_name: "{id}_image.png" and mask_name: "{id}_mask.png".'
    )


def shared_folder_advice(paths: Collection[Path]) -> str:
    """The lines for a folder that holds images and their masks."""
    kinds = kinds_of(_folder(paths))
    masks, images = ([kind for kind in kinds if is_mask_kind(kind) == which] for which in (True, False))
    found = [pairing for one in images for other in masks if (pairing := pair_up(one, other)) is not None]
    best = max(found, key=lambda pairing: pairing.share, default=None)
    if best is not None and best.share >= _MOST:
        return lines_of(best)
    return 'Add patterns of the file names, for example image_name: "{id}.jpg" and mask_name: "{id}_mask.png".'


def lines_of(pairing: Pairing) -> str:
    """The lines that read a pairing, and the same as options."""
    keys = {"image_name": pairing.images.pattern, "mask_name": pairing.mask_name}
    given = {key: pattern for key, pattern in keys.items() if pattern}
    lines = "\n".join(f'  {key}: "{pattern}"' for key, pattern in given.items())
    options = " ".join(f"--set 'data.{key}=\"{pattern}\"'" for key, pattern in given.items())
    return f"Their names share a part. Write under data:\n{lines}\nWith tk new: {options}"


def _folder(paths: Collection[Path]) -> ImageFolder:
    """Files as one folder, by their names."""
    first = next(iter(paths)).parent
    return ImageFolder(first, first.name, {image_id_of(path.name): path for path in paths})


def _without_zeros(name: str) -> str:
    return re.sub(r"(?<!\d)0+(?=\d)", "", name)
