"""Separates the kinds of files in a folder by their names, and unites folders that hold parts of one set."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from toolkit.files.images.decoding import image_id_of
from toolkit.files.images.names.image_folder import SPLITS, ImageFolder

ANY_FOLDER = "*/"
"""How the pattern of a folder begins whose images are in subfolders that are no ids."""

_WORD = re.compile(
    r"((1st|2nd)?(masks?|labels?|label(col|ids|trainids)|annot(ation)?s?|gt(fine|coarse)?|groundtruths?|truth|"
    r"segs?|segmentations?|segmaps?|targets?|mattes?|manual|instanceids|trimaps?)\d*)"
)
_ENDINGS = ("annot", "masks", "mask", "labels", "_gt", "annotations", "groundtruth")
_SHORT = frozenset(("l", "m", "lbl", "msk"))
_IMAGE_WORDS = frozenset(("image", "images", "img", "imgs", "jpegimages", "photo", "photos", "sat", "leftimg8bit"))
_NO_IMAGES = re.compile(r"superpixels?|overlays?|previews?|thumbs?|thumbnails?|vis|visuali[sz]ations?")
_PERSON = re.compile(
    r"(\d(st|nd|rd|th))?_?(ho|obs|observer|exp|expert|r|rater|ann|annotator|reader|manual|human|doctor)s?_?\d*"
)
_FEWEST = 0.25
_RARE = 0.1
_LONGEST = 3
_MOST = 0.5


def is_mask_name(name: str) -> bool | None:
    """Whether the name of a folder or file is one of masks; None if it says nothing."""
    words = [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word]
    if any(_WORD.fullmatch(word) for word in words) or name.lower().startswith("segment"):
        return True
    if name.lower().endswith(_ENDINGS):
        return True
    return False if any(word in _IMAGE_WORDS for word in words) else None


def shows_no_image(kind: ImageFolder) -> bool:
    """Whether the pattern of a kind of files is one of drawings beside the images, such as superpixels."""
    words = re.split(r"[^a-z0-9]+", Path(kind.pattern).stem.lower())
    return any(_NO_IMAGES.fullmatch(word) for word in words)


def is_mask_kind(kind: ImageFolder) -> bool:
    """Whether the pattern of a kind of files is one of masks."""
    stem = Path(kind.pattern).stem.replace("{id}", " ")
    return bool(is_mask_name(stem)) or not _SHORT.isdisjoint(re.split(r"[^a-z0-9]+", stem.lower()))


def kinds_of(folder: ImageFolder) -> list[ImageFolder]:
    """The kinds of files in a folder, each with the ids that they share and a pattern; the folder if there is one kind.

    The names of a kind have the same words after the id, or before it: `12_sat`, `12_mask`; `image-12`, `label-12`.
    """
    if folder.pattern and not folder.pattern.startswith(ANY_FOLDER):
        return [folder]
    ends = _kinds(list(folder.paths))
    if len(ends) > 1:
        return [_kind(folder, {head: head + tail for head in heads}, "", tail) for tail, heads in ends.items()]
    starts = _kinds([name[::-1] for name in folder.paths])
    if len(starts) > 1 and "" not in starts:
        return [
            _kind(folder, {head[::-1]: (head + tail)[::-1] for head in heads}, tail[::-1], "")
            for tail, heads in starts.items()
        ]
    return [folder]


def drawings_among(paths: Collection[Path]) -> list[ImageFolder]:
    """The kinds of files that are drawings of other files in the same folder, by their names."""
    if not any(_NO_IMAGES.search(path.name.lower()) for path in paths):
        return []
    place = next(iter(paths)).parent
    folder = ImageFolder(place, place.name, {image_id_of(path.name): path for path in paths if path.parent == place})
    return [kind for kind in kinds_of(folder) if kind is not folder and shows_no_image(kind)]


def is_person(word: str) -> bool:
    """Whether a word names who drew the masks, not what they show."""
    return _PERSON.fullmatch(word.lower()) is not None


def with_pattern(folder: ImageFolder, ids: Mapping[str, str], prefix: str, suffix: str) -> ImageFolder:
    """The files of a folder by other ids; `ids` gives the name of each id."""
    return _kind(folder, ids, prefix, suffix)


def _kind(folder: ImageFolder, ids: Mapping[str, str], prefix: str, suffix: str) -> ImageFolder:
    paths = {image_id: folder.paths[name] for image_id, name in sorted(ids.items())}
    endings = {path.suffix for path in paths.values()}
    start = ANY_FOLDER if folder.pattern.startswith(ANY_FOLDER) else ""
    pattern = f"{start}{prefix}{{id}}{suffix}{endings.pop() if len(endings) == 1 else '.*'}"
    return replace(folder, paths=paths, pattern=pattern)


def _kinds(names: Sequence[str]) -> dict[str, list[str]]:
    """The heads of the names with each tail, if several tails follow the same heads."""
    tails: dict[str, set[str]] = defaultdict(set)
    for name in names:
        for head, tail in _cuts(name):
            tails[head].add(tail)
    shared = {head for head, several in tails.items() if len(several) > 1}
    often = Counter(tail for head in shared for tail in tails[head])
    chosen = {}
    for name in names:
        cuts = [cut for cut in _cuts(name) if cut[0] in shared and often[cut[1]] >= _RARE * len(names)]
        if cuts:
            chosen[name] = min(cuts, key=lambda cut: (-often[cut[1]], len(cut[0])))
    heads = {head for head, _ in chosen.values()}
    counts = Counter(tail for _, tail in chosen.values())
    kinds = {tail for tail, count in counts.items() if count >= _FEWEST * len(heads)}
    if len(kinds) < 2 or len(kinds) >= max(3, len(heads)):
        return {}
    found: dict[str, list[str]] = defaultdict(list)
    for name in names:
        head, tail = chosen.get(name, ("", "-"))
        if tail not in kinds:
            tail = max((one for one in kinds if name.endswith(one) and one != name), key=len, default="")
            head = name[: len(name) - len(tail)]
        found[tail].append(head)
    return dict(sorted(found.items()))


def _cuts(name: str) -> Iterator[tuple[str, str]]:
    """A name cut into head and tail, the whole name first; tails have at most three words, none of them a number."""
    yield name, ""
    places = [match.start() for match in re.finditer(r"[._\- ]+", name) if match.start()]
    for place in reversed(places[-_LONGEST:]):
        words = [word for word in re.split(r"[._\- ]+", name[place:]) if word]
        if not words or any(word.isdigit() for word in words):
            return
        yield name[:place], name[place:]


def gathered(folders: Sequence[ImageFolder]) -> list[ImageFolder]:
    """The folders, where sibling folders that hold parts of one set, such as cities or patients, are united.

    Siblings are united if their names say nothing about images or masks, no two files have the same name, and another
    folder has subfolders of the same names, as images and masks of the same cities have; also other folders beside one
    that is united.
    """
    children: dict[Path, dict[str, ImageFolder]] = defaultdict(dict)
    for folder in folders:
        children[folder.folder.parent][folder.folder.name] = folder
    holders = {folder.folder for folder in folders}
    loose = {
        parent: parts
        for parent, parts in children.items()
        if parent not in holders and len(parts) > 1 and _are_parts(list(parts.values()))
    }
    united = {
        parent for parent, parts in loose.items() if any(_alike(parts, loose[one]) for one in loose if one != parent)
    }
    united |= {parent for parent in loose if any(parent.parent == one.parent for one in united)}
    kept = [folder for folder in folders if folder.folder.parent not in united]
    return [*kept, *(_united(parent, list(loose[parent].values())) for parent in sorted(united))]


def _are_parts(parts: Sequence[ImageFolder]) -> bool:
    names = [part.folder.name for part in parts]
    if any(part.pattern for part in parts) or any(is_mask_name(name) is not None for name in names):
        return False
    ids = [image_id for part in parts for image_id in part.paths]
    return SPLITS.isdisjoint(map(str.lower, names)) and len(ids) == len(set(ids))


def _alike(one: Mapping[str, ImageFolder], other: Mapping[str, ImageFolder]) -> bool:
    return len(one.keys() & other.keys()) >= max(2, _MOST * min(len(one), len(other)))


def _united(parent: Path, parts: Sequence[ImageFolder]) -> ImageFolder:
    paths = {image_id: path for part in parts for image_id, path in part.paths.items()}
    name = Path(parts[0].name).parent.as_posix()
    endings = {path.suffix for path in paths.values()}
    pattern = f"{ANY_FOLDER}{{id}}{endings.pop() if len(endings) == 1 else '.*'}"
    return ImageFolder(parent, name, paths, pattern)
