"""Leaves out masks that are nearly the same in all images, such as fields of view, where other masks remain."""

from dataclasses import replace

from toolkit.files.images.names.image_folder import ImageFolder
from toolkit.files.images.names.pairing import pair_up
from toolkit.files.masks.mask_examining import examine_mask_files
from toolkit.files.recognition.folders.roles import Roles, is_mask_folder

_EXAMINED = 40
_NO_LABEL = "masks that are nearly the same in all images, as a field of view is"


def without_fields_of_view(roles: Roles) -> Roles:
    """The roles, with other masks instead of those that are nearly the same in all images; unchanged if there are none.

    Folders of such masks are no classes either.
    """
    images, pairing = roles.images, roles.pairing
    if images is None or pairing is None:
        return roles
    labels = {name: folder for name, folder in roles.class_folders.items() if not _is_alike(images, folder)}
    if roles.class_folders and len(labels) == len(roles.class_folders):
        return roles
    if not roles.class_folders and not _is_alike(images, pairing.masks):
        return roles
    others = [folder for folder, _ in roles.unused if is_mask_folder(folder) and not _is_alike(images, folder)]
    chosen = next((pair for folder in (*labels.values(), *others) if (pair := pair_up(images, folder))), None)
    if chosen is None:
        return roles
    left_out = [folder for folder in roles.class_folders.values() if folder.folder.name not in labels]
    left_out += [] if roles.class_folders else [pairing.masks]
    unused = [(folder, told) for folder, told in roles.unused if folder is not chosen.masks]
    unused += [(folder, _NO_LABEL) for folder in left_out]
    several = labels if len(labels) > 1 else {}
    return replace(roles, images=chosen.images, pairing=chosen, class_folders=several, unused=tuple(unused))


def _is_alike(images: ImageFolder, folder: ImageFolder) -> bool:
    """Whether the masks of a folder, or of some images, are nearly the same; False if they do not belong to images."""
    pair = pair_up(images, folder)
    if pair is None:
        return False
    names = (f"{pair.prefix}{one}{pair.suffix}" for one in pair.images.paths)
    paths = [folder.paths[name] for name in names if name in folder.paths]
    found = examine_mask_files(paths[:: -(-len(paths) // _EXAMINED)])
    return bool(found.values) and found.reading().alike
