"""Pairs images with masks by their names."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from toolkit.files.images.names.image_folder import ImageFolder
from toolkit.files.images.names.kinds_in_folder import ANY_FOLDER, is_mask_kind, kinds_of, shows_no_image, with_pattern
from toolkit.files.images.names.shared_names import share_names

_NEARLY_ALL = 0.9
_SEPARATORS = "_-. "


@dataclass(frozen=True)
class Pairing:
    """A folder of masks whose ids are those of the images between a prefix and a suffix.

    `share` is the share of the images that have a mask, 0–1. `images` are the images with these ids.
    """

    masks: ImageFolder
    prefix: str
    suffix: str
    share: float
    images: ImageFolder

    @property
    def masked(self) -> frozenset[str]:
        """The ids of the images that have a mask."""
        return frozenset(one for one in self.images.paths if f"{self.prefix}{one}{self.suffix}" in self.masks.paths)

    @property
    def mask_name(self) -> str:
        """The pattern of the names of mask files; empty if they are those of the images."""
        inner = f"{self.prefix}{{id}}{self.suffix}"
        if self.masks.pattern:
            return self.masks.pattern.replace("{id}", inner)
        return "" if inner == "{id}" else f"{inner}{next(iter(self.masks.paths.values())).suffix}"


def split_mixed(folder: ImageFolder) -> list[ImageFolder]:
    """Split a folder that holds images and their masks, or other drawings of them, if the names tell these apart."""
    kinds = kinds_of(folder)
    if any(is_mask_kind(kind) or shows_no_image(kind) for kind in kinds):
        return kinds
    return [folder]


def pair_up(images: ImageFolder, masks: ImageFolder) -> Pairing | None:
    """How the ids of masks follow from those of images; None if they do not.

    If the names of images have a prefix or suffix too, or if only one kind of files in their folder has masks, the
    pairing has these images by the ids that they share with masks.
    """
    whole = _pair(images, masks)
    if whole is not None and whole.share == 1:
        return whole
    kinds = [pairing for kind in kinds_of(images) if kind is not images and (pairing := _pair(kind, masks)) is not None]
    best = max(kinds, key=lambda one: (one.share, -len(one.images.pattern)), default=None)
    return best if best is not None and (whole is None or best.share > whole.share) else whole


def _pair(images: ImageFolder, masks: ImageFolder) -> Pairing | None:
    shared = share_names(images.paths.keys(), masks.paths.keys())
    if shared is None:
        return None
    names = shared.images.ids(images.paths)
    if shared.images.length and "/" in images.pattern.removeprefix(ANY_FOLDER):
        return None
    named = images
    if shared.images.length:
        inner = Path(images.pattern).stem.replace("{id}", shared.images.pattern("")) if images.pattern else ""
        prefix, _, suffix = (inner or shared.images.pattern("")).partition("{id}")
        named = with_pattern(images, names, prefix, suffix)
    return Pairing(masks, shared.masks.prefix, shared.masks.suffix, shared.count / len(images.paths), named)


def divided(masks: ImageFolder, images: Sequence[ImageFolder]) -> list[ImageFolder]:
    """The masks in kinds or by image, if a folder holds several files for each image; otherwise the folder itself.

    Words after the ids make kinds, `12_cell`, `12_debris`; numbers are parts of one mask, `12_0`, `12_1`.
    """
    if masks.pattern:
        return [masks]
    whole = [pairing for one in images if (pairing := pair_up(one, masks)) is not None]
    if not whole or any(len(pairing.masked) >= _NEARLY_ALL * len(masks.paths) for pairing in whole):
        return [masks]
    kinds = kinds_of(masks)
    if len(kinds) > 1 and any(pair_up(one, kind) is not None for one in images for kind in kinds):
        return kinds
    best = max(whole, key=lambda pairing: len(pairing.masked))
    parts = _numbered(masks, best)
    return [masks] if parts is None else [parts]


def _numbered(masks: ImageFolder, pairing: Pairing) -> ImageFolder | None:
    """Masks with several numbered files for each image; None if most names are of another form."""
    separator = next((one for one in _SEPARATORS if pairing.suffix.startswith(one)), None)
    if separator is None:
        return None
    first: dict[str, Path] = {}
    count = 0
    for name, path in sorted(masks.paths.items()):
        image_id = name.removeprefix(pairing.prefix).rpartition(separator)[0]
        if name.startswith(pairing.prefix) and image_id in pairing.images.paths:
            first.setdefault(image_id, path)
            count += 1
    endings = {path.suffix for path in masks.paths.values()}
    if count < _NEARLY_ALL * len(masks.paths):
        return None
    ending = endings.pop() if len(endings) == 1 else ".*"
    return replace(masks, paths=first, pattern=f"{pairing.prefix}{{id}}{separator}*{ending}")
