"""Findings about images: files that cannot be used, sizes, kinds of files, constant images."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from toolkit.errors import listing
from toolkit.files.inspection.data_findings import DataFinding
from toolkit.files.inspection.image_facts import ImageFacts

_RARE = 0.1
_FEW = 10
_SHOWN = 10
_SIDES = 32


def unusable(facts: Sequence[ImageFacts], origin: str) -> Iterator[DataFinding]:
    """Images or masks that cannot be used, each with its problem; the advice lists all unknown pixel values."""
    broken = [one for one in facts if one.problem]
    if not broken:
        return
    values = Counter(value for one in broken for value in one.unknown)
    remedies = dict.fromkeys(one.remedy for one in broken if one.remedy)
    if values:
        unknown = listing((f"{value} (in {count} masks)" for value, count in sorted(values.items())), _SHOWN)
        how = "Assign each to a class with data.mask_values, or ignore it with data.ignore."
        remedies[f"Pixel values that belong to no class: {unknown}. {how}"] = None
    advice = "\n".join(remedies) or "Repair or remove these files, then run the command again."
    yield DataFinding(
        "error",
        "files",
        f"{len(broken)} of {len(facts)} images in {origin} cannot be used",
        tuple(one.image_id for one in broken),
        advice,
        tuple(one.problem for one in broken),
    )


def constant(facts: Sequence[ImageFacts]) -> Iterator[DataFinding]:
    """Images with one value in all pixels."""
    found = tuple(one.image_id for one in facts if one.is_constant)
    if found:
        message = f"{len(found)} of {len(facts)} images have one value in all pixels"
        yield DataFinding("warning", "constant images", message, found)


def sizes(facts: Sequence[ImageFacts]) -> Iterator[DataFinding]:
    """A few images with an unusual size, or else the variety of sizes; and sides that networks cannot take."""
    counts = Counter(one.size for one in facts)
    if not counts:
        return
    (common, count), *others = counts.most_common()
    odd = tuple(one.image_id for one in facts if one.size != common)
    if others and len(odd) <= max(1, _RARE * len(facts)) and len(facts) >= _FEW:
        message = f"{len(odd)} images are not {_size_text(common)} like the {count} others"
        details = tuple(f"{one.image_id}: {_size_text(one.size)}" for one in facts if one.size != common)
        yield DataFinding("warning", "sizes", message, odd, details=details)
    elif others:
        message = f"images have {len(counts)} sizes, most often {_size_text(common)} ({count} of {len(facts)})"
        yield DataFinding("note", "sizes", message)
    if any(side % _SIDES for size in counts for side in size):
        which = f"images are {_size_text(common)}" if not others else "some images have sides"
        message = f"{which}, not multiples of {_SIDES}: shape and resize define how they are brought to such a size"
        yield DataFinding("note", "sizes", message)


def grey(facts: Sequence[ImageFacts]) -> Iterator[DataFinding]:
    """All images are grey."""
    if facts and all(one.is_grey for one in facts):
        message = "all images are grey; they are read with three equal channels, as pretrained weights require"
        yield DataFinding("note", "channels", message)


def alpha(found: Mapping[str, str]) -> Iterator[DataFinding]:
    """Images with an alpha channel."""
    ids = tuple(image_id for image_id, kind in found.items() if "RGBA" in kind or "alpha" in kind)
    if ids:
        message = f"{len(ids)} of {len(found)} images have an alpha channel, which is ignored"
        yield DataFinding("note", "channels", message, ids)


def turned(ids: Sequence[str], count: int) -> Iterator[DataFinding]:
    """Images with an orientation tag, out of `count`."""
    if ids:
        message = (
            f"{len(ids)} of {count} images have an orientation tag (EXIF), which is not applied: masks that were drawn "
            "on the rotated images do not match"
        )
        advice = "Check their masks in the picture; if they do not match, save the images without the tag."
        yield DataFinding("warning", "orientation", message, tuple(ids), advice)


def kinds(found: Mapping[str, str], what: str) -> Iterator[DataFinding]:
    """Files of different kinds; `what` names them, for example images."""
    counts = Counter(found.values())
    if len(counts) < 2:
        return
    common = counts.most_common(1)[0][0]
    odd = tuple(image_id for image_id, kind in found.items() if kind != common)
    listed = ", ".join(f"{count} {kind}" for kind, count in counts.most_common())
    few = len(odd) <= _RARE * len(found)
    yield DataFinding("warning" if few else "note", "kinds", f"{what} are of {len(counts)} kinds: {listed}", odd)


def _size_text(size: tuple[int, int]) -> str:
    return f"{size[0]}×{size[1]}"
