"""Assigns roles to folders of images: training images, their masks, test images."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from toolkit.files.images.names.image_folder import ImageFolder
from toolkit.files.images.names.kinds_in_folder import (
    ANY_FOLDER,
    gathered,
    is_mask_kind,
    is_mask_name,
    is_person,
    kinds_of,
    shows_no_image,
    with_pattern,
)
from toolkit.files.images.names.pairing import Pairing, divided, pair_up, split_mixed
from toolkit.files.images.names.shared_names import Affixes, affixes_of

_INSTANCES = re.compile(r"instances?|objects?|inst|instanceids|.*objects?")
_TRAIN_WORDS = frozenset(("train", "training", "train1", "stage1train"))
_TEST_WORDS = frozenset(("test", "testing", "stage1test", "holdout"))
_VALIDATION_WORDS = frozenset(("val", "valid", "validation"))
_MOST = 0.5
_NEARLY_ALL = 0.9
_FEWEST = 3
_SEPARATORS = frozenset("_-. /")

WITHOUT_MASKS = "images without masks"
"""The description of folders of images that are not used."""


@dataclass(frozen=True)
class Roles:
    """The presumed role of each folder; `unused` and `unreadable` ones have none, and come with a description.

    `class_name` is the pattern of mask files with `{class}`, if each class has its own files. `test_name` is the
    pattern of the names of test images, if it differs from that of training images. `exclude` are the patterns of
    other files that the pattern of the images would take for images.
    """

    images: ImageFolder | None
    pairing: Pairing | None
    class_folders: Mapping[str, ImageFolder]
    test: ImageFolder | None
    test_why: str
    validation: tuple[ImageFolder, Pairing] | None
    unused: tuple[tuple[ImageFolder, str], ...]
    class_name: str = ""
    test_name: str = ""
    exclude: tuple[str, ...] = ()
    unreadable: tuple[tuple[ImageFolder, str], ...] = ()


LooksAt = Callable[[ImageFolder], bool]
"""What the files of a folder show, for example whether they are binary masks."""


def find_roles(
    folders: Sequence[ImageFolder],
    labelled_ids: Collection[str],
    sample_ids: Collection[str],
    *,
    are_masks: LooksAt = lambda _: False,
    are_binary: LooksAt = lambda _: True,
) -> Roles:
    """Assign roles to folders by their names and by the ids that they share.

    Args:
        folders: of images.
        labelled_ids: ids in tables of labels.
        sample_ids: ids in sample submissions.
        are_masks: whether the files of a folder look like masks; asked where the names do not tell.
        are_binary: whether the files of a folder have at most two values, as masks of one class have.
    """
    parts, masks, pairs = _parts_and_pairs(folders, not labelled_ids, are_masks)
    images = [folder for folder in parts if id(folder) in pairs]
    ranked = sorted(images, key=lambda folder: -_rank(folder, pairs[id(folder)], labelled_ids, sample_ids))
    if not ranked:
        return Roles(None, None, {}, None, "", None, tuple((folder, "masks without images") for folder in masks))
    train = ranked[0]
    pairing = pairs[id(train)]
    if pairing is not None and labelled_ids and pairing.images.paths.keys() != train.paths.keys():
        pairing = None  # tables name the images by their whole names
    shown = train if pairing is None else pairing.images
    class_folders, class_name = _class_folders(masks, images, pairing, are_binary)
    test, why = _test_folder(ranked[1:], train, sample_ids)
    rest = [(one, pair) for one in ranked[1:] if one is not test and (pair := pairs[id(one)]) and not _is_test(one)]
    apart = [(one, pair) for one, pair in rest if pairing is None or pair.masks is not pairing.masks]
    validation = next(((one, pair) for one, pair in apart if _is_validation(one)), None)
    used = {id(one) for one in (train, test, *class_folders.values(), *(validation[:1] if validation else ()))}
    used |= {id(one.masks) for one in (pairing, validation and validation[1]) if one}
    more = [(one, pair) for one, pair in apart if id(one) not in used and id(pair.masks) not in used]
    used |= {id(folder) for one, pair in more for folder in (one, pair.masks)}
    left = [folder for folder in parts if id(folder) not in used]
    drawn = [folder for folder in left if folder in masks or _is_drawn(folder, shown, are_masks)]
    unused = [(folder, _description(folder, shown, folder in drawn)) for folder in left]
    unused += [(one, _merging(one, pair)) for one, pair in more]
    unused += [(kind, "files of another kind, by their names") for kind in _other_kinds(train, shown)]
    test_name = ""
    if test is not None and shown.pattern:
        test, test_name = _named_test(test, shown)
    exclude = _excluded(shown, test, test_name, [*parts, *_other_kinds(train, shown)], pairing)
    labelled = (validation[1].images, validation[1]) if validation else None
    return Roles(shown, pairing, class_folders, test, why, labelled, tuple(unused), class_name, test_name, exclude)


def _parts_and_pairs(
    folders: Sequence[ImageFolder], by_content: bool, are_masks: LooksAt
) -> tuple[list[ImageFolder], list[ImageFolder], dict[int, Pairing | None]]:
    """The folders and kinds of files, those of masks, and the best pairing of each of the others, by identity.

    If no name is one of masks, and `by_content` is set, the files tell masks from images.
    """
    parts = [part for folder in gathered(folders) for part in split_mixed(folder)]
    images = [folder for folder in parts if not is_mask_folder(folder) and not shows_no_image(folder)]
    parts = [one for part in parts for one in (divided(part, images) if is_mask_folder(part) else [part])]
    masks = [folder for folder in parts if is_mask_folder(folder) and folder not in images]
    pairs = {id(folder): _best_pairing(folder, masks) for folder in images}
    if by_content and not any(pairs.values()):
        kinds = [kind for part in parts for kind in _by_content(part, are_masks)]
        pictures, drawn = _told_apart(kinds, are_masks)
        told = {id(folder): _best_pairing(folder, drawn) for folder in pictures}
        if any(_is_sure(folder, told[id(folder)]) for folder in pictures):
            return kinds, drawn, told
    return parts, masks, pairs


def _is_drawn(folder: ImageFolder, images: ImageFolder, are_masks: LooksAt) -> bool:
    """Whether a folder without a name of masks has masks of the images."""
    pairing = None if shows_no_image(folder) else pair_up(images, folder)
    return _is_sure(images, pairing) and are_masks(folder)


def _by_content(folder: ImageFolder, are_masks: LooksAt) -> list[ImageFolder]:
    """The kinds of files in a folder, if some of them look like masks and others do not."""
    kinds = kinds_of(folder)
    looks = {are_masks(kind) for kind in kinds} if len(kinds) > 1 else set()
    return kinds if len(looks) == 2 else [folder]


def _told_apart(parts: Sequence[ImageFolder], are_masks: LooksAt) -> tuple[list[ImageFolder], list[ImageFolder]]:
    """Images, and masks by their names or, if there are other images, by their content."""
    masks = [folder for folder in parts if is_mask_folder(folder)]
    images = [folder for folder in parts if folder not in masks and not shows_no_image(folder)]
    unnamed = [folder for folder in images if len(images) > 1 and are_masks(folder)]
    if len(unnamed) == len(images):
        return images, masks
    return [folder for folder in images if folder not in unnamed], masks + unnamed


def _is_sure(images: ImageFolder, pairing: Pairing | None) -> bool:
    """Whether nearly all images have a mask of the same split, so that folders need no names of roles."""
    if pairing is None or pairing.share < _NEARLY_ALL or len(pairing.masked) < _FEWEST:
        return False
    return _nearness(images, pairing.masks)[0] == 1


def is_mask_folder(folder: ImageFolder) -> bool:
    """Whether a folder has a name of masks; of nested folders, the innermost known name decides."""
    names = [*folder.name.split("/"), *(folder.pattern.split("/")[:-1])]
    if folder.pattern and is_mask_kind(folder):
        return True
    if folder.pattern and is_mask_name(Path(folder.pattern).stem.replace("{id}", "")) is False:
        return False
    for name in reversed([name for name in names if name not in ("", ".", "*", "{id}")]):
        told = is_mask_name(name)
        if told is not None:
            return told
    return False


def is_instance_folder(folder: ImageFolder) -> bool:
    """Whether a folder has a name of instance masks, whose values number objects."""
    words = folder.words if folder.pattern else folder.words[-1:]
    return any(_INSTANCES.fullmatch(word) for word in words)


def _other_kinds(whole: ImageFolder, used: ImageFolder) -> list[ImageFolder]:
    """The kinds of files in a folder of which only one is used."""
    if len(used.paths) == len(whole.paths):
        return []
    return [kind for kind in kinds_of(whole) if kind.pattern != used.pattern]


def _excluded(
    images: ImageFolder, test: ImageFolder | None, test_name: str, parts: Sequence[ImageFolder], pairing: Pairing | None
) -> tuple[str, ...]:
    """The patterns of files beside the training or test images that the pattern of these matches too."""
    found: dict[str, None] = {}
    # Masks are told from training images when they are read.
    others = [part for part in parts if part.pattern and (pairing is None or part is not pairing.masks)]
    for used, pattern in ((images, images.pattern), (test, test_name or images.pattern)):
        if used is None or not pattern or "/" in pattern.removeprefix(ANY_FOLDER):
            continue
        wanted, read = {path.name for path in used.paths.values()}, _as_wildcard(pattern)
        for part in others:
            names = {path.name for path in part.paths.values()}
            beside = part.folder == used.folder and names.isdisjoint(wanted)
            if beside and any(fnmatchcase(name, read) for name in names):
                found[_as_wildcard(part.pattern)] = None
    return tuple(found)


def _as_wildcard(pattern: str) -> str:
    return pattern.removeprefix(ANY_FOLDER).replace("{id}", "*")


def _named_test(test: ImageFolder, images: ImageFolder) -> tuple[ImageFolder, str]:
    """The test images by the pattern of the training images, or by their own pattern if they have other names."""
    if test.pattern == images.pattern or "/" in images.pattern.removeprefix(ANY_FOLDER):
        return test, ""
    prefix, _, suffix = Path(images.pattern).stem.partition("{id}")
    start = ANY_FOLDER if images.pattern.startswith(ANY_FOLDER) else ""
    of_train = {kind.pattern: kind for kind in kinds_of(test)}
    if images.pattern in of_train:
        return of_train[images.pattern], ""
    fits = Path(images.pattern).suffix in (".*", *{path.suffix for path in test.paths.values()})
    ids = Affixes(prefix, suffix).ids(test.paths)
    if fits and len(ids) == len(test.paths):
        return with_pattern(test, ids, prefix, suffix), ""
    if test.pattern:
        return test, test.pattern
    own = affixes_of(test.paths.keys())[0] if prefix or suffix else Affixes()
    own = Affixes(own.prefix if prefix else "", own.suffix if suffix else "")
    named = with_pattern(test, own.ids(test.paths), own.prefix, own.suffix)
    return named, "" if start + named.pattern.removeprefix(ANY_FOLDER) == images.pattern else named.pattern


def other_masks(roles: Roles) -> str:
    """The folders that may hold the masks instead, with the lines that read them."""
    if roles.images is None:
        return ""
    lines = []
    for folder, _ in roles.unused:
        pairing = None if _is_test(folder) or shows_no_image(folder) else pair_up(roles.images, folder)
        if pairing is not None and pairing.share >= _MOST:
            names = {"image_name": pairing.images.pattern, "mask_name": pairing.mask_name}
            keys = [f'{key}: "{pattern}"' for key, pattern in names.items() if pattern]
            keys = [f"images: {pairing.images.name}", f"masks: {folder.name}", *keys]
            lines.append(f"{folder.name}: {len(folder.paths)} files; under data: {'; '.join(keys)}")
    if not lines:
        return "Name the folder of the labels in data.masks, and how their names follow from those of the images."
    return "\n".join(["Other folders that may hold the masks:", *lines])


def _best_pairing(images: ImageFolder, masks: Sequence[ImageFolder]) -> Pairing | None:
    found = [pairing for folder in masks if (pairing := pair_up(images, folder)) is not None]
    near = {id(pairing): (*_nearness(images, pairing.masks), _plainness(pairing.masks)) for pairing in found}
    sure = [pairing for pairing in found if pairing.share >= _MOST * max(one.share for one in found)]
    return max(sure, key=lambda pairing: (near[id(pairing)], pairing.share), default=None)


def _plainness(masks: ImageFolder) -> int:
    """How likely masks hold classes rather than objects or the colours of classes, by their names."""
    return -int(is_instance_folder(masks)) - int(not {"color", "colour", "colors", "rgb"}.isdisjoint(masks.words))


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
    masks: Sequence[ImageFolder], images: Sequence[ImageFolder], pairing: Pairing | None, are_binary: LooksAt
) -> tuple[dict[str, ImageFolder], str]:
    """Binary masks of one class each, and the pattern of their names with `{class}`; none if there are no such masks.

    They are in sibling folders, with the same names; or in one folder, where the names have the class before or after
    the id. Folders that images have too, such as those of patients, are no classes.
    """
    if pairing is None or (pairing.masks.pattern and (pairing.prefix or pairing.suffix)):
        return {}, ""
    masks = [folder for folder in masks if not is_instance_folder(folder)]
    fitting, name = (_of_siblings if not pairing.masks.pattern else _of_kinds)(masks, pairing)
    if pairing.masks not in fitting.values() or len(fitting) < 2:
        return {}, ""
    if name.startswith("{class}/") and len(fitting.keys() & {folder.folder.name for folder in images}) > 1:
        return {}, ""
    if any(map(is_person, fitting)) or not all(map(are_binary, fitting.values())):
        return {}, ""
    return fitting, name


def _of_siblings(masks: Sequence[ImageFolder], pairing: Pairing) -> tuple[dict[str, ImageFolder], str]:
    """Folders beside that of the masks in which files have the same names, by the names of the folders."""
    wanted = {f"{pairing.prefix}{one}{pairing.suffix}" for one in pairing.images.paths}
    parent = pairing.masks.folder.parent
    beside = [folder for folder in masks if folder.folder.parent == parent and not folder.pattern]
    fitting = {folder.folder.name: folder for folder in beside if folder.paths.keys() & wanted}
    endings = {path.suffix for folder in fitting.values() for path in folder.paths.values()}
    ending = endings.pop() if len(endings) == 1 else ".*"
    return fitting, f"{{class}}/{pairing.prefix}{{id}}{pairing.suffix}{ending}"


def _of_kinds(masks: Sequence[ImageFolder], pairing: Pairing) -> tuple[dict[str, ImageFolder], str]:
    """The kinds of files in the folder of the masks, by the word in which their names differ."""
    own, ids = pairing.masks, pairing.images.paths.keys()
    kinds = [one for one in masks if one.folder == own.folder and one.pattern and one.paths.keys() & ids]
    if own.folder == pairing.images.folder or len(kinds) < 2:
        return {}, ""
    start, end = affixes_of([kind.pattern for kind in kinds])[0], ""
    first, last = start.prefix, start.suffix
    cut = max(first.rfind(one) for one in _SEPARATORS) + 1
    first = first[: max(cut, first.find("{id}") + len("{id}") if "{id}" in first else 0)]
    places = [place for place, letter in enumerate(last) if letter in _SEPARATORS]
    end = last[places[0] :] if places else ""
    words = {kind.pattern[len(first) : len(kind.pattern) - len(end)]: kind for kind in kinds}
    if "{id}" not in first + end or not all(words) or any(set("{}/*") & set(word) for word in words):
        return {}, ""
    if not first.endswith(tuple(_SEPARATORS)) and not end.startswith(tuple(_SEPARATORS)):
        return {}, ""
    return words, f"{first}{{class}}{end}"


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


def _merging(images: ImageFolder, pairing: Pairing) -> str:
    """The line that adds further labelled images."""
    entry = f"{{images: {images.name}, masks: {pairing.masks.name}, prefix: {images.folder.name}_}}"
    return f"more images with masks; to use these too: merge: [{entry}]"


def _description(folder: ImageFolder, images: ImageFolder, is_mask: bool) -> str:
    if shows_no_image(folder):
        return f"files called {folder.pattern}: drawings, not images, by their name"
    if not is_mask and not is_instance_folder(folder):
        return WITHOUT_MASKS
    kind = "instance masks" if is_instance_folder(folder) else "masks"
    how = "by the name of the folder" if is_mask_folder(folder) else "by their content"
    if is_instance_folder(folder):
        how += "; to separate objects of one class, use them as masks with mask_encoding: instances"
    pairing = pair_up(images, folder) if is_mask else None
    if pairing is None or pairing.share < _MOST or pairing.images is not images:
        return f"{kind}, {how}"
    line = f"masks: {folder.name}" + (f', mask_name: "{pairing.mask_name}"' if pairing.mask_name else "")
    return f"{kind}, {how}; to use these: {line}"
