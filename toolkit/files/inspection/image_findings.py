"""What there is to say of images by themselves: files that cannot be used, sizes, kinds, constant ones."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from toolkit.files.inspection.data_findings import DataFinding
from toolkit.files.inspection.examining import ImageFacts

_RARE = 0.1
_FEW = 10
_SIDES = 32


def unusable(facts: Sequence[ImageFacts], origin: str) -> Iterator[DataFinding]:
    """Images or masks that cannot be used, each with what is wrong with it; pixel values of no class in one."""
    broken = [one for one in facts if one.problem]
    if not broken:
        return
    values = Counter(value for one in broken for value in one.unknown)
    remedies = dict.fromkeys(one.remedy for one in broken if one.remedy)
    if values:
        told = ", ".join(f"{value} (in {count} masks)" for value, count in sorted(values.items())[:10])
        how = "Give each to a class with data.mask_values, or leave it out with data.ignore."
        remedies[f"Pixel values that no class has: {told}. {how}"] = None
    advice = "\n".join(remedies) or "Mend or remove these files, then run the command again."
    yield DataFinding(
        "error",
        "files",
        f"{len(broken)} of {len(facts)} images in {origin} cannot be used",
        tuple(one.image_id for one in broken),
        advice,
        tuple(one.problem for one in broken),
    )


def constant(facts: Sequence[ImageFacts]) -> Iterator[DataFinding]:
    """Images of one value."""
    found = tuple(one.image_id for one in facts if one.is_constant)
    if found:
        message = f"{len(found)} of {len(facts)} images have one value in all pixels"
        yield DataFinding("warning", "constant images", message, found)


def sizes(facts: Sequence[ImageFacts]) -> Iterator[DataFinding]:
    """Images of another size than nearly all others; else how sizes differ, and sides that networks do not take."""
    counts = Counter(one.size for one in facts)
    if not counts:
        return
    (common, count), *others = counts.most_common()
    odd = tuple(one.image_id for one in facts if one.size != common)
    if others and len(odd) <= max(1, _RARE * len(facts)) and len(facts) >= _FEW:
        message = f"{len(odd)} images are not {_written(common)} like the {count} others"
        details = tuple(f"{one.image_id}: {_written(one.size)}" for one in facts if one.size != common)
        yield DataFinding("warning", "sizes", message, odd, details=details)
    elif others:
        message = f"images have {len(counts)} sizes, most often {_written(common)} ({count} of {len(facts)})"
        yield DataFinding("note", "sizes", message)
    if any(side % _SIDES for size in counts for side in size):
        told = f"{_written(common)}" if not others else "some of them"
        message = f"sides of images are no multiples of {_SIDES} ({told}): shape and resize say how they become one"
        yield DataFinding("note", "sizes", message)


def grey(facts: Sequence[ImageFacts]) -> Iterator[DataFinding]:
    """Whether all images are grey."""
    if facts and all(one.is_grey for one in facts):
        message = "all images are grey: their three channels are equal, as pretrained weights want it"
        yield DataFinding("note", "channels", message)


def alpha(found: Mapping[str, str]) -> Iterator[DataFinding]:
    """Images with an alpha channel."""
    ids = tuple(image_id for image_id, kind in found.items() if "RGBA" in kind or "alpha" in kind)
    if ids:
        message = f"{len(ids)} of {len(found)} images have an alpha channel, which is dropped"
        yield DataFinding("note", "channels", message, ids)


def turned(ids: Sequence[str], count: int) -> Iterator[DataFinding]:
    """Images with an orientation tag, of so many."""
    if ids:
        message = (
            f"{len(ids)} of {count} images have an orientation tag (EXIF), which is not applied: masks that were drawn "
            "on them as programs show them lie elsewhere"
        )
        advice = "Look at these on the sheet; save such images as they are shown, without the tag."
        yield DataFinding("warning", "orientation", message, tuple(ids), advice)


def kinds(found: Mapping[str, str], what: str) -> Iterator[DataFinding]:
    """Files of another kind than most; `what` they are, such as images."""
    counts = Counter(found.values())
    if len(counts) < 2:
        return
    common = counts.most_common(1)[0][0]
    odd = tuple(image_id for image_id, kind in found.items() if kind != common)
    told = ", ".join(f"{count} {kind}" for kind, count in counts.most_common())
    few = len(odd) <= _RARE * len(found)
    yield DataFinding("warning" if few else "note", "kinds", f"{what} are of {len(counts)} kinds: {told}", odd)


def _written(size: tuple[int, int]) -> str:
    return f"{size[0]}×{size[1]}"
