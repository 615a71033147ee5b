"""Finds what the names of images and masks share: the ids between a prefix and a suffix of each."""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass

_SEPARATORS = "._- "
_SAMPLED = 50
_CONTAINED = 8
_MOST = 0.5


@dataclass(frozen=True)
class Affixes:
    """What names have before and after their ids."""

    prefix: str = ""
    suffix: str = ""

    def ids(self, names: Collection[str]) -> dict[str, str]:
        """The name of each id; names of another form are left out."""
        start, end = len(self.prefix), len(self.suffix)
        return {
            name[start : len(name) - end]: name
            for name in names
            if len(name) > start + end and name.startswith(self.prefix) and name.endswith(self.suffix)
        }

    def pattern(self, ending: str) -> str:
        """The pattern of the names; `ending` is the extension of the files, with its dot."""
        return f"{self.prefix}{{id}}{self.suffix}{ending}"

    @property
    def length(self) -> int:
        """The number of characters outside of the ids."""
        return len(self.prefix) + len(self.suffix)


PLAIN = Affixes()


@dataclass(frozen=True)
class SharedNames:
    """How the names of images and masks hold the same ids; `count` is the number of images that have a mask."""

    images: Affixes
    masks: Affixes
    count: int


def share_names(images: Collection[str], masks: Collection[str]) -> SharedNames | None:
    """The ids that the names of most images share with masks; None if they share none.

    Whole names of images are tried first: as they are, and inside of the names of masks. Only then are prefixes and
    suffixes that all images have left out; at least half of the images or masks must then be paired.

    Args:
        images: names without extension.
        masks: names without extension.
    """
    of_masks = [PLAIN, *_around(images, masks), *affixes_of(masks)]
    best = _best(images, masks, [PLAIN], of_masks)
    if best is not None and best.count == len(images):
        return best
    stripped = _best(images, masks, affixes_of(images), affixes_of(masks))
    if stripped is None or stripped.count < _MOST * min(len(images), len(masks)):
        return best
    return stripped if best is None or stripped.count > 2 * best.count else best


def affixes_of(names: Collection[str]) -> list[Affixes]:
    """What all names have before and after something that differs, cut before numbers and at separators."""
    first = _common_start(names).rstrip("0123456789")
    last = _common_start([name[::-1] for name in names]).rstrip("0123456789")[::-1]
    starts = [first, *(first[:end] for end in range(1, len(first)) if first[end - 1] in _SEPARATORS), ""]
    ends = [last, *(last[start:] for start in range(1, len(last)) if last[start] in _SEPARATORS), ""]
    shortest = min(map(len, names), default=0)
    cuts = [Affixes(start, end) for start in dict.fromkeys(starts) for end in dict.fromkeys(ends)]
    return [one for one in cuts if one.length < shortest]


def _common_start(names: Collection[str]) -> str:
    """What all texts begin with."""
    low, high = min(names, default=""), max(names, default="")
    return low[: next((place for place, one in enumerate(low) if one != high[place]), len(low))]


def _best(
    images: Collection[str], masks: Collection[str], of_images: Collection[Affixes], of_masks: Collection[Affixes]
) -> SharedNames | None:
    """The affixes with most pairs; of these, the shortest."""
    ids_of_masks = {one: one.ids(masks).keys() for one in dict.fromkeys(of_masks)}
    found = []
    for one in of_images:
        ids = one.ids(images).keys()
        found += [SharedNames(one, other, len(ids & known)) for other, known in ids_of_masks.items() if ids & known]
    return max(found, key=lambda pair: (pair.count, -pair.images.length, -pair.masks.length), default=None)


def _around(images: Collection[str], masks: Collection[str]) -> Iterator[Affixes]:
    """What masks have around the longest name of an image inside of theirs, the most frequent first."""
    longest = sorted(images, key=len, reverse=True)
    counts: Counter[Affixes] = Counter()
    several = list(masks)
    for name in several[:: max(1, len(several) // _SAMPLED)][:_SAMPLED]:
        inside = next((one for one in longest if one in name and _is_whole(one, name)), None)
        if inside:
            prefix, _, suffix = name.partition(inside)
            counts[Affixes(prefix, suffix)] += 1
    return (affixes for affixes, _ in counts.most_common(_CONTAINED))


def _is_whole(inside: str, name: str) -> bool:
    """Whether a number at either end of the inner text does not go on in the name."""
    prefix, _, suffix = name.partition(inside)
    before = inside[0].isdigit() and prefix[-1:].isdigit()
    return not before and not (inside[-1].isdigit() and suffix[:1].isdigit())
