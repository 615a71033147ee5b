"""Recognises the content of a competition folder, with the reasons."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from toolkit.config.data.competitions import find_competition
from toolkit.config.yaml.file_paths import regular
from toolkit.core.arrays import Mask
from toolkit.core.masks.mask_values import MaskReading, MaskValues, interpret_values, values_of_mask
from toolkit.errors import ConfigError, DataError, MissingFileError, NothingToLearnError, listing
from toolkit.files.images.decoding import MASK_ARRAYS, read_image, read_mask_values, read_size, read_stored
from toolkit.files.images.kinds import file_kind
from toolkit.files.recognition.folder_scan import FolderScan, ImageFolder, scan_folder
from toolkit.files.recognition.known_competitions import Match, matching_competitions
from toolkit.files.recognition.recognised_tables import EMPTY_WORDS, RecognisedTable, recognise_table
from toolkit.files.recognition.rle_readings import RleReading, RleSample, read_order
from toolkit.files.recognition.roles import Pairing, Roles, find_roles, is_mask_folder
from toolkit.files.recognition.shape_documents import Document, find_document
from toolkit.messages import Progress

_COMPONENTS_IN = 40
_MASK_PIXELS = 600_000_000
_VALUES_IN = 40
_SHOWN = 20


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
    """

    kinds: Mapping[str, int]
    reading: MaskReading
    examined: int
    empty: int
    covered: float
    unreadable: int


@dataclass(frozen=True, eq=False)
class Recognised:
    """Everything that was recognised; None or empty if it does not exist.

    `misdescribed` is the reason why the folder's description of its competition cannot be used.
    """

    scan: FolderScan
    roles: Roles
    images: ImageFolder
    sizes: Counter[tuple[int, int]]
    kinds: Counter[str]
    unreadable: tuple[str, ...]
    channels: int
    values: ValueSummary
    mask_files: MaskFilesSummary | None
    tables: tuple[RecognisedTable, ...]
    labels: RecognisedTable | None
    sample: RecognisedTable | None
    rle: RleReading | None
    matches: tuple[Match, ...]
    document: Document | None
    class_names: Mapping[Any, str]
    class_names_from: str
    misdescribed: str = ""

    @property
    def metadata(self) -> tuple[RecognisedTable, ...]:
        """The tables with metadata of images."""
        return tuple(table for table in self.tables if table.role == "metadata")


def recognise(root: Path, progress: Progress) -> Recognised:
    """Recognise the content of a folder.

    Raises:
        MissingFileError: the folder does not exist.
        NothingToLearnError: the folder has no images, or no masks.
        DataError: none of the images can be read.
    """
    scan = scan_folder(root)
    progress.say(f"examining {root}: {len(scan.folders)} folders of images, {len(scan.tables)} tables")
    every = {image_id for folder in scan.folders for image_id in folder.paths}
    first = [recognise_table(path, every, ()) for path in scan.tables]
    if not scan.folders:
        raise NothingToLearnError(_nothing(scan, first), "Unpack the images into this folder, then run tk init again.")
    labelled = {one for table in first if table.role == "labels" for one in table.image_ids}
    wanted = {one for table in first if table.role == "sample" for one in table.image_ids}
    roles = find_roles(scan.folders, labelled - wanted, wanted - labelled)
    if roles.images is None:
        raise NothingToLearnError(
            _nothing(scan, first),
            "Rename the folder of the images, or name both: tk new NAME --images FOLDER --masks FOLDER",
        )
    test_ids = () if roles.test is None else roles.test.paths
    tables = tuple(recognise_table(path, roles.images.paths, test_ids) for path in scan.tables)
    sizes, kinds, unreadable = _headers(roles.images, progress)
    if not sizes:
        raise DataError(
            f"none of the {len(unreadable)} images in {roles.images.folder} can be read: {listing(unreadable)}",
            f"The first one: {_reason(next(iter(roles.images.paths.values())))}",
        )
    train_ids = roles.images.paths.keys()
    labels = _largest([table for table in tables if table.role == "labels" and table.image_ids & train_ids])
    samples = [table for table in tables if table.role == "sample"]
    sample = _largest([table for table in samples if table.is_trivial] or samples)
    described, misdescribed = _described(scan)
    document = find_document(scan, roles.images)
    named = class_order(described, sample, labels)
    masks = None if roles.pairing is None else _mask_files(roles.images, roles.pairing, len(named), progress)
    if masks is None and labels is None and document is None:
        raise NothingToLearnError(
            _nothing(scan, tables, roles),
            "Masks may be images, a CSV of run-length encodings, or COCO or labelme JSON.",
        )
    rle = None if labels is None else _read_labels(labels, roles)
    names, names_from = _class_names(scan, tables, document)
    return Recognised(
        scan=scan,
        roles=roles,
        images=roles.images,
        sizes=sizes,
        kinds=kinds,
        unreadable=unreadable,
        channels=_channels(roles.images),
        values=_values(roles.images),
        mask_files=masks,
        tables=tables,
        labels=labels,
        sample=sample,
        rle=rle,
        matches=(described,) if described else tuple(matching_competitions(labels, sample, rle, frozenset(sizes))),
        misdescribed=misdescribed,
        document=document,
        class_names=names,
        class_names_from=names_from,
    )


def class_order(
    described: Match | None, sample: RecognisedTable | None, labels: RecognisedTable | None
) -> tuple[str, ...]:
    """The names of the classes except the background, as the competition, sample or table of labels orders them."""
    if described is not None:
        return described.competition.classes
    return next((table.classes for table in (sample, labels) if table is not None and table.classes), ())


def _described(scan: FolderScan) -> tuple[Match | None, str]:
    """The competition that the folder describes, or the reason why its description cannot be used."""
    if scan.competition is None:
        return None, ""
    name = scan.name(scan.competition)
    try:
        form = find_competition(str(scan.competition))
    except (ConfigError, MissingFileError) as error:
        return None, f"{name} is not a valid description of a competition (see docs/competitions.md): {error.message}"
    return Match(form, 0, f"{name} describes it", scan.competition), ""


def _largest(tables: Sequence[RecognisedTable]) -> RecognisedTable | None:
    return max(tables, key=lambda table: len(table.image_ids), default=None)


def _nothing(scan: FolderScan, tables: Sequence[RecognisedTable], roles: Roles | None = None) -> str:
    """The message for a folder without images or masks: what it holds."""
    masks = any(map(is_mask_folder, scan.folders))
    what = "masks, but no images" if masks else "no images"
    if roles is not None and roles.images is not None:
        what = f"{len(roles.images.paths)} images, but no masks" + " with the same names" * masks
    lines = [f"{scan.root} holds {what}. Its content:"]
    lines += [_described_folder(folder) for folder in scan.folders[:_SHOWN]]
    lines += [
        f"  {scan.name(table.table.path)}: {table.role}: {table.why}; columns {', '.join(table.table.columns)}"
        + _guess(table)
        for table in tables[:_SHOWN]
    ]
    lines += [f"  {count} files that end in {ending}" for ending, count in sorted(scan.others.items())]
    return "\n".join(lines if len(lines) > 1 else [*lines, "  nothing"])


def _described_folder(folder: ImageFolder) -> str:
    kind = "masks, by the name of the folder" if is_mask_folder(folder) else "images"
    first = folder.pattern or next(iter(folder.paths.values())).name
    return f"  {folder.name}: {len(folder.paths)} {kind}, for example {first}"


def _guess(table: RecognisedTable) -> str:
    if table.role not in ("labels", "sample"):
        return ""
    labels, sample = (table, None) if table.role == "labels" else (None, table)
    names = [match.competition.name for match in matching_competitions(labels, sample, None, frozenset())]
    return f"; like {' or '.join(names)}" if names else ""


def _headers(folder: ImageFolder, progress: Progress) -> tuple[Counter[tuple[int, int]], Counter[str], tuple[str, ...]]:
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


def _reason(path: Path) -> str:
    """Why an image cannot be read."""
    try:
        read_size(path)
    except DataError as error:
        return error.message
    return ""


def _channels(folder: ImageFolder) -> int:
    """The number of channels of the first readable image, or 0."""
    for path in folder.paths.values():
        try:
            values = read_stored(path)
        except DataError:
            continue
        return 1 if values.ndim == 2 else values.shape[2]
    return 0


def _values(folder: ImageFolder) -> ValueSummary:
    """Type, smallest and largest stored value of some images."""
    paths = list(folder.paths.values())
    found = []
    for path in paths[:: -(-len(paths) // _VALUES_IN)]:
        with suppress(DataError):
            found.append(read_stored(path, whole_depth=True))
    if not found:
        return ValueSummary("", 0, 0, 0)
    low, high = min(float(values.min()) for values in found), max(float(values.max()) for values in found)
    return ValueSummary(str(found[0].dtype), len(found), low, high)


def _mask_files(images: ImageFolder, pairing: Pairing, named: int, progress: Progress) -> MaskFilesSummary:
    """Examine the mask files, or some of them if they are very large; `named` is the number of known class names."""
    names = {one: f"{pairing.prefix}{one}{pairing.suffix}" for one in images.paths}
    paths = [pairing.masks.paths[name] for name in names.values() if name in pairing.masks.paths]
    height, width = _size_or_none(paths[0]) or (0, 0)
    pixels = height * width * len(paths)
    shown = paths[:: max(1, -(-pixels // _MASK_PIXELS))]
    every = max(1, len(shown) // _COMPONENTS_IN)
    work = [(path, number % every == 0) for number, path in enumerate(shown)]
    found, kinds, broken = [], Counter[str](), 0
    with progress.task("examining masks", len(work)) as task, ThreadPoolExecutor() as pool:
        for kind, values in pool.map(_read_mask, work):
            kinds[kind] += 1
            broken += values is None
            found += [] if values is None else [values]
            task.advance()
    covers = [1 - one.values.get(0, 0) / max(1, sum(one.values.values())) for one in found if one.values]
    empty = sum(not cover for cover in covers)
    covered = sum(covers) / max(1, len(covers))
    reading = interpret_values(found, named)
    return MaskFilesSummary(dict(kinds.most_common()), reading, len(shown), empty, covered, broken)


def _read_mask(item: tuple[Path, bool]) -> tuple[str, MaskValues | None]:
    path, with_components = item
    try:
        return file_kind(path), values_of_mask(
            read_stored(path, palette_as_index=True, arrays=MASK_ARRAYS), with_components=with_components
        )
    except DataError:
        return file_kind(path), None


def _read_labels(labels: RecognisedTable, roles: Roles) -> RleReading | None:
    """The reading of run-length encodings that fits the images and mask files."""
    images = roles.images
    texts: dict[str, list[str]] = {}
    for image_id, _, text in labels.rows:
        if images is not None and image_id in images.paths and text.lower() not in EMPTY_WORDS:
            texts.setdefault(image_id, []).append(text)
    samples = []
    for image_id, several in texts.items():
        if images is None:
            break
        path = images.paths[image_id]
        size = _size_or_none(path)
        if size is not None:
            samples.append(RleSample(several, size, partial(read_image, path), _mask_reader(image_id, roles.pairing)))
    return read_order(samples) if samples else None


def _size_or_none(path: Path) -> tuple[int, int] | None:
    try:
        return read_size(path)
    except DataError:
        return None


def _mask_reader(image_id: str, pairing: Pairing | None) -> Callable[[], Mask | None] | None:
    path = None if pairing is None else pairing.masks.paths.get(f"{pairing.prefix}{image_id}{pairing.suffix}")
    if path is None:
        return None

    def read() -> Mask | None:
        try:
            return read_mask_values(path) > 0
        except DataError:
            return None

    return read


def _class_names(
    scan: FolderScan, tables: Sequence[RecognisedTable], document: Document | None
) -> tuple[dict[Any, str], str]:
    """The names of classes by pixel value or colour, and the file that has them."""
    for table in tables:
        if table.role == "classes":
            lower = [name.lower() for name in table.table.columns]
            places = [lower.index(letter) for letter in "rgb"]
            named = next((lower.index(word) for word in ("name", "class", "label") if word in lower), 0)
            colours = {tuple(int(row[place]) for place in places): row[named].strip() for row in table.table.rows}
            return colours, scan.name(table.table.path)
    for path in scan.texts:
        if path.stem.lower() in ("classes", "class_names", "codes", "labels", "label_names", "categories"):
            lines = [line.strip() for line in regular(path).read_text("utf-8", "replace").splitlines() if line.strip()]
            return dict(enumerate(lines)), scan.name(path)
    return {}, ""
