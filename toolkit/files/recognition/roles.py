"""Assigns roles to folders of images: training images, their masks, test images."""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from toolkit.files.images.decoding import image_id_of
from toolkit.files.recognition.folder_scan import ImageFolder

_MASK_WORDS = frozenset((
    "mask", "masks", "label", "labels", "labelcol", "annotation", "annotations", "annot", "gt", "groundtruth", "truth",
    "seg", "segs", "segmentation", "segmentations", "target", "targets", "matte", "mattes",
))  # fmt: skip
_MASK_ENDINGS = ("annot", "masks", "mask", "labels", "_gt", "annotations")
_TRAIN_WORDS = frozenset(("train", "training", "train1", "stage1train"))
_TEST_WORDS = frozenset(("test", "testing", "stage1test", "holdout"))
_VALIDATION_WORDS = frozenset(("val", "valid", "validation"))
_MOST = 0.5
_MIXED = 0.25
_AFFIX = re.compile(r"[._\- ](mask|masks|label|labels|gt|seg|segmentation|annotation|groundtruth|truth|l)$", re.I)


@dataclass(frozen=True)
class Pairing:
    """A folder of masks whose ids are those of the images between a prefix and a suffix.

    `share` is the share of the images that have a mask, 0–1.
    """

    masks: ImageFolder
    prefix: str
    suffix: str
    share: float


@dataclass(frozen=True)
class Roles:
    """The presumed role of each folder; `unused` and `unreadable` ones have none, and come with a description."""

    images: ImageFolder | None
    pairing: Pairing | None
    class_folders: Mapping[str, ImageFolder]
    test: ImageFolder | None
    test_why: str
    validation: tuple[ImageFolder, Pairing] | None
    unused: tuple[tuple[ImageFolder, str], ...]
    unreadable: tuple[tuple[ImageFolder, str], ...] = ()


def find_roles(folders: Sequence[ImageFolder], labelled_ids: Collection[str], sample_ids: Collection[str]) -> Roles:
    """Assign roles to folders by their names and by the ids that they share.

    Args:
        folders: of images.
        labelled_ids: ids in tables of labels.
        sample_ids: ids in sample submissions.
    """
    parts = [part for folder in folders for part in split_mixed(folder)]
    masks = [folder for folder in parts if is_mask_folder(folder)]
    images = [folder for folder in parts if not is_mask_folder(folder)]
    pairs = {id(folder): _best_pairing(folder, masks) for folder in images}
    ranked = sorted(images, key=lambda folder: -_rank(folder, pairs[id(folder)], labelled_ids, sample_ids))
    if not ranked:
        return Roles(None, None, {}, None, "", None, tuple((folder, "masks without images") for folder in masks))
    train = ranked[0]
    pairing = pairs[id(train)]
    class_folders = _class_folders(train, masks, pairing)
    rest = [folder for folder in ranked[1:] if folder is not train]
    test, why = _test_folder(rest, train, sample_ids)
    rest = [folder for folder in rest if folder is not test]
    taken = None if pairing is None else pairing.masks
    others = [(one, pair) for one in rest if (pair := pairs[id(one)]) is not None and not _is_test(one)]
    validation = next(((one, pair) for one, pair in others if pair.masks is not taken), None)
    used = {id(train), id(test), *map(id, class_folders.values())}
    used |= {id(one) for one in ([pairing.masks] if pairing else [])}
    used |= {id(validation[0]), id(validation[1].masks)} if validation else set()
    unused = tuple((folder, _description(folder)) for folder in parts if id(folder) not in used)
    return Roles(train, pairing, class_folders, test, why, validation, unused)


def is_mask_folder(folder: ImageFolder) -> bool:
    """Whether a folder has a name of masks; of nested folders, the innermost known name decides."""
    names = [*folder.name.lower().split("/"), *folder.pattern.lower().split("/")]
    for name in reversed([image_id_of(name) for name in names if name not in ("", ".")]):
        words = [word for word in re.split(r"[^a-z0-9]+", name) if word]
        if any(word in _MASK_WORDS for word in words) or name.startswith("segment") or name.endswith(_MASK_ENDINGS):
            return True
        if any(word in ("image", "images", "img", "imgs", "jpegimages", "photos") for word in words):
            return False
    return False


def is_instance_folder(folder: ImageFolder) -> bool:
    """Whether a folder has a name of instance masks, whose values number objects."""
    return not {"instance", "instances", "objects", "inst"}.isdisjoint(folder.words[-1:])


def split_mixed(folder: ImageFolder) -> list[ImageFolder]:
    """Split a folder that holds images and their masks, if masks have the names of images with a suffix."""
    if folder.pattern:
        return [folder]
    stems = {image_id: _stem(image_id) for image_id in folder.paths}
    endings = Counter(
        image_id[len(stem) :] for image_id, stem in stems.items() if stem != image_id and stem in folder.paths
    )
    if not endings:
        return [folder]
    ending, count = endings.most_common(1)[0]
    if count < _MIXED * len(folder.paths):
        return [folder]
    masks = {image_id: path for image_id, path in folder.paths.items() if image_id.endswith(ending)}
    images = {image_id: path for image_id, path in folder.paths.items() if image_id not in masks}
    suffix = next(iter(masks.values())).suffix
    return [
        replace(folder, paths=images),
        replace(folder, paths=masks, pattern=f"{{id}}{ending}{suffix}"),
    ]


def _stem(image_id: str) -> str:
    """An id without a suffix of masks, for example `_mask`."""
    return _AFFIX.sub("", image_id)


def pair_up(images: ImageFolder, masks: ImageFolder) -> Pairing | None:
    """How the ids of masks follow from those of images; None if they do not."""
    ids = images.paths.keys()
    affixes: Counter[tuple[str, str]] = Counter()
    if ids & masks.paths.keys():
        affixes["", ""] = 1
    longest = sorted(ids, key=len, reverse=True)
    for name in list(masks.paths)[:50]:
        inside = next((one for one in longest if one in name), None)
        if inside:
            prefix, _, suffix = name.partition(inside)
            affixes[prefix, suffix] += 1
    best = None
    for (prefix, suffix), _ in affixes.most_common(5):
        share = sum(f"{prefix}{one}{suffix}" in masks.paths for one in ids) / len(ids)
        if share > 0 and (best is None or share > best.share):
            best = Pairing(masks, prefix, suffix, share)
    return best


def _best_pairing(images: ImageFolder, masks: Sequence[ImageFolder]) -> Pairing | None:
    found = [pairing for folder in masks if (pairing := pair_up(images, folder)) is not None]
    near = {id(pairing): _nearness(images, pairing.masks) for pairing in found}
    return max(found, key=lambda pairing: (near[id(pairing)], pairing.share), default=None)


def _nearness(one: ImageFolder, other: ImageFolder) -> tuple[int, int]:
    """How close two folders are: whether their names have the same words of a split, and their common parents."""
    splits = [set(folder.words) & (_TRAIN_WORDS | _TEST_WORDS | _VALIDATION_WORDS) for folder in (one, other)]
    shared = sum(a == b for a, b in zip(one.folder.parts, other.folder.parts, strict=False))
    return int(splits[0] == splits[1]), shared


def _rank(
    folder: ImageFolder, pairing: Pairing | None, labelled_ids: Collection[str], sample_ids: Collection[str]
) -> float:
    """How likely a folder holds the training images; a higher value is more likely."""
    count = len(folder.paths)
    labelled = sum(one in labelled_ids for one in folder.paths) / count
    wanted = sum(one in sample_ids for one in folder.paths) / count
    named = bool(_TRAIN_WORDS & set(folder.words)) - (_is_test(folder) or _is_validation(folder))
    many = min(count, 10_000) / 20_000
    return 4 * (pairing.share if pairing else 0) + 4 * labelled - 3 * wanted + 2 * named + folder.has_channels + many


def _class_folders(
    images: ImageFolder, masks: Sequence[ImageFolder], pairing: Pairing | None
) -> dict[str, ImageFolder]:
    """Masks in one folder per class: sibling folders whose masks have the names of the images."""
    if pairing is None or pairing.masks.pattern or pairing.prefix or pairing.suffix:
        return {}
    parent = pairing.masks.folder.parent
    beside = [folder for folder in masks if folder.folder.parent == parent and not folder.pattern]
    fitting = [folder for folder in beside if (pair := pair_up(images, folder)) and not pair.prefix + pair.suffix]
    return {folder.folder.name: folder for folder in fitting} if len(fitting) > 1 else {}


def _test_folder(
    folders: Sequence[ImageFolder], train: ImageFolder, sample_ids: Collection[str]
) -> tuple[ImageFolder | None, str]:
    for folder in folders:
        wanted = sum(one in sample_ids for one in folder.paths)
        if wanted > _MOST * len(sample_ids) > 0 and folder.name != train.name:
            return folder, f"the sample submission has {wanted} of its {len(folder.paths)} images"
    named = next((folder for folder in folders if _is_test(folder)), None)
    return (named, "from its name, the folder holds test images") if named else (None, "")


def _is_test(folder: ImageFolder) -> bool:
    return bool(_TEST_WORDS & set(folder.words)) or any(word.startswith("test") for word in folder.words)


def _is_validation(folder: ImageFolder) -> bool:
    return bool(_VALIDATION_WORDS & set(folder.words))


def _description(folder: ImageFolder) -> str:
    if is_instance_folder(folder):
        return "instance masks, by the name of the folder"
    return "masks, by the name of the folder" if is_mask_folder(folder) else "images without masks"
