"""Findings about images: files that cannot be used, sizes, kinds of files, constant images."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Sized

from toolkit.errors import counted, listing
from toolkit.files.images.decoding import REPAIR
from toolkit.files.inspection.data_findings import DataFinding
from toolkit.files.inspection.image_facts import ImageFacts

_RARE = 0.1
_FEW = 10
_SHOWN = 10


def unusable(facts: Sequence[ImageFacts], origin: str, coloured: str = "") -> Iterator[DataFinding]:
    """Images or masks that cannot be used, each with its problem; the advice lists all unknown pixel values.

    `coloured` is the advice about unknown values of masks whose classes are colours.
    """
    broken = [one for one in facts if one.problem]
    if not broken:
        return
    values = Counter(value for one in broken for value in one.unknown)
    damaged = [one for one in broken if not one.unknown and one.remedy in ("", REPAIR)]
    remedies = dict.fromkeys(one.remedy for one in broken if one.remedy not in ("", REPAIR))
    if values and coloured:
        remedies[coloured] = None
    elif values:
        listed = ((value, counted(count, "mask")) for value, count in sorted(values.items()))
        unknown = listing((f"{value} (in {count})" for value, count in listed), _SHOWN)
        how = "Assign each to a class with data.mask_values, or ignore it with data.ignore."
        remedies[f"Pixel values that belong to no class: {unknown}. {how}"] = None
    if damaged:
        remedies[REPAIR if len(damaged) == 1 else f"Repair or remove these {len(damaged)} files, then try again."] = (
            None
        )
    yield DataFinding(
        "error",
        "files",
        f"{len(broken)} of {counted(len(facts), 'image')} in {origin} cannot be used",
        tuple(one.image_id for one in broken),
        "\n".join(remedies),
        tuple(one.problem for one in broken),
    )


def constant(facts: Sequence[ImageFacts]) -> Iterator[DataFinding]:
    """Images with one value in all pixels."""
    found = tuple(one.image_id for one in facts if one.is_constant)
    if found:
        message = f"{_part(found, facts)} one value in all pixels"
        yield DataFinding("warning", "constant images", message, found)


def sizes(facts: Sequence[ImageFacts]) -> Iterator[DataFinding]:
    """A few images with an unusual size, or else the variety of sizes."""
    counts = Counter(one.size for one in facts)
    if not counts:
        return
    (common, count), *others = counts.most_common()
    odd = tuple(one.image_id for one in facts if one.size != common)
    if others and len(odd) <= max(1, _RARE * len(facts)) and len(facts) >= _FEW:
        message = f"{counted(len(odd), 'image is', 'images are')} not {_size_text(common)} like the {count} others"
        details = tuple(f"{one.image_id}: {_size_text(one.size)}" for one in facts if one.size != common)
        yield DataFinding("warning", "sizes", message, odd, details=details)
    elif others:
        message = f"images have {len(counts)} sizes, most often {_size_text(common)} ({count} of {len(facts)})"
        yield DataFinding("note", "sizes", message)


def sides(facts: Sequence[ImageFacts], multiple: int) -> Iterator[DataFinding]:
    """Sides that are no multiples of what the network requires."""
    counts = Counter(one.size for one in facts)
    if any(side % multiple for size in counts for side in size):
        which = (
            f"images are {_size_text(next(iter(counts)))}," if len(counts) == 1 else "some images have sides that are"
        )
        message = f"{which} not multiples of {multiple}: shape and resize define how they are brought to such a size"
        yield DataFinding("note", "sizes", message)


def grey(facts: Sequence[ImageFacts], *, pretrained: bool) -> Iterator[DataFinding]:
    """All images are grey, but are read with three channels."""
    if facts and all(one.is_grey for one in facts):
        why = "as pretrained weights require" if pretrained else "because shape asks for three"
        yield DataFinding("note", "channels", f"all images are grey; they are read with three equal channels, {why}")


def alpha(found: Mapping[str, str]) -> Iterator[DataFinding]:
    """Images with an alpha channel."""
    ids = tuple(image_id for image_id, kind in found.items() if "RGBA" in kind or "alpha" in kind)
    if ids:
        message = f"{_part(ids, found)} an alpha channel, which is ignored"
        yield DataFinding("note", "channels", message, ids)


def turned(ids: Sequence[str], count: int) -> Iterator[DataFinding]:
    """Images with an orientation tag, out of `count`."""
    if ids:
        message = (
            f"{_part(ids, range(count))} an orientation tag (EXIF), which is not applied: masks that were drawn "
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


def _part(found: Sized, whole: Sized) -> str:
    """The number of images that have something, and the verb: `1 of 10 images has`."""
    return f"{len(found)} of {counted(len(whole), 'image')} {'has' if len(found) == 1 else 'have'}"


def _size_text(size: tuple[int, int]) -> str:
    return f"{size[0]}×{size[1]}"
