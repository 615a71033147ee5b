"""What the files of an unknown folder hold: sizes, kinds, values of images, and the meaning of mask files."""

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from toolkit.core.masks.mask_values import MaskReading, MaskValues, interpret_values
from toolkit.errors import DataError
from toolkit.files.images.channel_files import FileNames
from toolkit.files.images.decoding import chosen_planes, read_size, read_stored
from toolkit.files.images.kinds import file_kind
from toolkit.files.images.names.image_folder import ImageFolder
from toolkit.files.images.names.pairing import Pairing
from toolkit.files.masks.mask_examining import examine_mask_files
from toolkit.files.masks.palette_files import palette_verdict
from toolkit.files.recognition.folders.channel_stacks import path_of_channel
from toolkit.messages import Progress

_MASK_PIXELS = 600_000_000
_VALUES_IN = 40
_LOOKED_AT = 8
_FEW_VALUES = 32


@dataclass(frozen=True)
class ValueSummary:
    """The stored values of the examined images: their type, and the smallest and the largest value."""

    dtype: str
    examined: int
    low: float
    high: float


@dataclass(frozen=True)
class MaskFilesSummary:
    """The mask files of the training images.

    Attributes:
        kinds: the number of files by kind.
        reading: the presumed meaning of the values.
        examined: how many files were examined.
        empty: how many of these are empty.
        covered: the mean share of pixels above 0.
        unreadable: how many of these cannot be read.
        other_sizes: the files whose size is not that of their image.
    """

    kinds: Mapping[str, int]
    reading: MaskReading
    examined: int
    empty: int
    covered: float
    unreadable: int
    other_sizes: tuple[str, ...] = ()


def headers(folder: ImageFolder, progress: Progress) -> tuple[Counter[tuple[int, int]], Counter[str], tuple[str, ...]]:
    """Sizes and kinds of all images, and the ids of images whose header cannot be read."""

    def read(item: tuple[str, Path]) -> tuple[tuple[int, int] | None, str]:
        try:
            return read_size(item[1]), file_kind(item[1])
        except DataError:
            return None, ""

    with progress.task("examining images", len(folder.paths)) as task, ThreadPoolExecutor() as pool:
        found = []
        for one in pool.map(read, folder.paths.items()):
            found.append(one)
            task.advance()
    sizes = Counter(size for size, _ in found if size is not None)
    kinds = Counter(kind for size, kind in found if size is not None)
    broken = tuple(image_id for image_id, (size, _) in zip(folder.paths, found, strict=True) if size is None)
    return sizes, kinds, broken


def reason_against(path: Path) -> str:
    """Why an image cannot be read."""
    try:
        read_size(path)
    except DataError as error:
        return error.message
    return ""


def channels_of_first(folder: ImageFolder, names: FileNames) -> int:
    """The number of channels of the first readable image, or 0."""
    for path in folder.paths.values():
        try:
            values = read_stored(path)
        except DataError:
            continue
        of_file = len(names.planes) or (1 if values.ndim == 2 else values.shape[2])
        return of_file * max(1, len(names.channels))
    return 0


def values_of_some(folder: ImageFolder, names: FileNames) -> ValueSummary:
    """Type, smallest and largest stored value of some images."""
    paths = list(folder.paths.values())
    found = []
    for number, path in enumerate(paths[:: -(-len(paths) // _VALUES_IN)]):
        one = path_of_channel(folder, path, names.channels[number % len(names.channels)] if names.channels else "")
        with suppress(DataError):
            found.append(chosen_planes(read_stored(one, whole_depth=True), names.planes, one))
    if not found:
        return ValueSummary("", 0, 0, 0)
    low, high = min(float(values.min()) for values in found), max(float(values.max()) for values in found)
    return ValueSummary(str(found[0].dtype), len(found), low, high)


def summary_of_masks(images: ImageFolder, pairing: Pairing, named: int, progress: Progress) -> MaskFilesSummary:
    """Examine the mask files, or some of them if they are very large; `named` is the number of known class names."""
    names = {one: f"{pairing.prefix}{one}{pairing.suffix}" for one in images.paths}
    paired = [
        (images.paths[one], pairing.masks.paths[name]) for one, name in names.items() if name in pairing.masks.paths
    ]
    paths = [mask for _, mask in paired]
    height, width = size_or_none(paths[0]) or (0, 0)
    pixels = height * width * len(paths)
    step = max(1, -(-pixels // _MASK_PIXELS))
    shown = paths[::step]
    examined = examine_mask_files(shown, palette_verdict(pairing.masks.paths.values()), progress)
    found = examined.values
    covers = [1 - one.values.get(0, 0) / max(1, sum(one.values.values())) for one in found if one.values]
    empty = sum(not cover for cover in covers)
    covered = sum(covers) / max(1, len(covers))
    kinds = dict(examined.kinds.most_common())
    other_sizes = tuple(
        mask.name
        for (image, mask), size in zip(paired[::step], examined.sizes, strict=True)
        if size is not None and size_or_none(image) not in (None, size)
    )
    unreadable = len(shown) - len(found)
    return MaskFilesSummary(kinds, examined.reading(named), len(shown), empty, covered, unreadable, other_sizes)


def are_masks(folder: ImageFolder) -> bool:
    """Whether some files of a folder have few values, as masks have and images do not."""
    values = _some_values(folder)
    return bool(values) and all(one.is_complete and len(one.values) + len(one.colours) <= _FEW_VALUES for one in values)


def are_binary_masks(folder: ImageFolder) -> bool:
    """Whether some files of a folder have at most two values, or these with blurred borders."""
    values = _some_values(folder)
    return bool(values) and interpret_values(values).code in ("binary", "soft", "empty")


def _some_values(folder: ImageFolder) -> Sequence[MaskValues]:
    paths = list(folder.paths.values())
    return examine_mask_files(paths[:: -(-len(paths) // _LOOKED_AT)]).values


def size_or_none(path: Path) -> tuple[int, int] | None:
    """(height, width) of an image, or None if it cannot be read."""
    try:
        return read_size(path)
    except DataError:
        return None
