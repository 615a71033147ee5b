"""What a competition folder that nobody has described holds, with the evidence."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from toolkit.config.data.competitions import find_competition
from toolkit.core.arrays import Mask
from toolkit.core.masks.mask_values import MaskReading, MaskValues, interpret_values, values_of_mask
from toolkit.errors import ConfigError, DataError, MissingFileError, NothingToLearnError
from toolkit.files.images.decoding import MASK_ARRAYS, image_id_of, read_image, read_mask_values, read_size, read_stored
from toolkit.files.images.kinds import file_kind
from toolkit.files.recognition.folder_scan import FolderScan, ImageFolder, scan_folder
from toolkit.files.recognition.known_competitions import Match, matching_competitions
from toolkit.files.recognition.rle_readings import Labelled, RleReading, read_order
from toolkit.files.recognition.roles import Pairing, Roles, find_roles, is_mask_folder
from toolkit.files.recognition.table_looks import EMPTY_WORDS, TableLook, look_at_table
from toolkit.messages import Progress

_PIECES_IN = 40
_MASK_PIXELS = 600_000_000
_VALUES_IN = 40


@dataclass(frozen=True)
class Document:
    """A JSON file, or a folder of them, that says where objects are: `coco` or `labelme`; and the names of classes."""

    path: Path
    kind: Literal["coco", "labelme"]
    names: tuple[str, ...]


@dataclass(frozen=True)
class ValueLook:
    """How values of images are stored: their type, and the smallest and the largest in some of them."""

    dtype: str
    looked_at: int
    low: float
    high: float


@dataclass(frozen=True)
class MaskFilesLook:
    """What the mask files of training images are: kinds by their headers, and what their values mean."""

    kinds: Mapping[str, int]
    reading: MaskReading
    looked_at: int
    empty: int
    covered: float
    unreadable: int


@dataclass(frozen=True, eq=False)
class Recognised:
    """Everything that was seen. What is None or empty was not there.

    `misdescribed` says why the folder's own description of its competition cannot be used.
    """

    scan: FolderScan
    roles: Roles
    images: ImageFolder
    sizes: Counter[tuple[int, int]]
    kinds: Counter[str]
    unreadable: tuple[str, ...]
    channels: int
    values: ValueLook
    mask_files: MaskFilesLook | None
    tables: tuple[TableLook, ...]
    labels: TableLook | None
    sample: TableLook | None
    rle: RleReading | None
    matches: tuple[Match, ...]
    document: Document | None
    class_names: Mapping[Any, str]
    class_names_from: str
    misdescribed: str = ""

    @property
    def metadata(self) -> tuple[TableLook, ...]:
        """Tables that say more of images."""
        return tuple(table for table in self.tables if table.role == "metadata")


def recognise(root: Path, progress: Progress) -> Recognised:
    """Look at a folder.

    Raises:
        MissingFileError: there is no such folder.
        NothingToLearnError: there are no images in it, or nothing says what they show.
        DataError: none of the images can be read.
    """
    scan = scan_folder(root)
    progress.say(f"looking at {root}: {len(scan.folders)} folders of images, {len(scan.tables)} tables")
    every = {image_id for folder in scan.folders for image_id in folder.paths}
    first = [look_at_table(path, every, ()) for path in scan.tables]
    if not scan.folders:
        raise NothingToLearnError(_nothing(scan, first), "Unpack the images beside the tables, then run tk init again.")
    labelled = {one for look in first if look.role == "labels" for one in look.image_ids}
    asked = {one for look in first if look.role == "sample" for one in look.image_ids}
    roles = find_roles(scan.folders, labelled - asked, asked - labelled)
    if roles.images is None:
        raise NothingToLearnError(
            _nothing(scan, first),
            "Images lie in a folder that is not called after masks; or name both with: tk new --images.",
        )
    test_ids = () if roles.test is None else roles.test.paths
    tables = tuple(look_at_table(path, roles.images.paths, test_ids) for path in scan.tables)
    sizes, kinds, unreadable = _headers(roles.images, progress)
    if not sizes:
        some = ", ".join(unreadable[:5])
        raise DataError(
            f"none of the {len(unreadable)} images in {roles.images.folder} can be read: {some}",
            f"Look at one: {_reason(next(iter(roles.images.paths.values())))}",
        )
    labels = _largest([look for look in tables if look.role == "labels" and look.image_ids & roles.images.paths.keys()])
    samples = [look for look in tables if look.role == "sample"]
    sample = _largest([look for look in samples if look.is_trivial] or samples)
    described, misdescribed = _described(scan)
    document = _document(scan, roles.images)
    named = class_order(described, sample, labels)
    masks = None if roles.pairing is None else _mask_files(roles.images, roles.pairing, len(named), progress)
    if masks is None and labels is None and document is None:
        raise NothingToLearnError(
            _nothing(scan, tables, roles), "Masks may be files, a CSV of run-length encodings, or COCO or labelme JSON."
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


def class_order(described: Match | None, sample: TableLook | None, labels: TableLook | None) -> tuple[str, ...]:
    """Names of the classes besides the background, in the order of the first thing that names them."""
    if described is not None:
        return described.competition.classes
    return next((look.classes for look in (sample, labels) if look is not None and look.classes), ())


def _described(scan: FolderScan) -> tuple[Match | None, str]:
    """The competition that the folder itself describes, or why its description cannot be used."""
    if scan.competition is None:
        return None, ""
    name = scan.name(scan.competition)
    try:
        form = find_competition(str(scan.competition))
    except (ConfigError, MissingFileError) as error:
        return None, f"{name} describes no competition as docs/competitions.md says: {error.message}"
    return Match(form, 0, f"{name} says so", scan.competition), ""


def _largest(looks: Sequence[TableLook]) -> TableLook | None:
    return max(looks, key=lambda look: len(look.image_ids), default=None)


def _nothing(scan: FolderScan, tables: Sequence[TableLook], roles: Roles | None = None) -> str:
    """What is there, when it is not enough."""
    masks = any(map(is_mask_folder, scan.folders))
    what = "masks, but no images" if masks else "no images"
    if roles is not None and roles.images is not None:
        what = f"{len(roles.images.paths)} images, but no masks" + " that are called like them" * masks
    lines = [f"{scan.root} holds {what}. What is there:"]
    lines += [_listed(folder) for folder in scan.folders[:20]]
    lines += [
        f"  {scan.name(look.table.path)}: {look.role}: {look.why}; columns {', '.join(look.table.columns)}"
        + _guess(look)
        for look in tables[:20]
    ]
    lines += [f"  {count} files that end in {ending}" for ending, count in sorted(scan.others.items())]
    return "\n".join(lines if len(lines) > 1 else [*lines, "  nothing"])


def _listed(folder: ImageFolder) -> str:
    kind = "masks, by the name of the folder" if is_mask_folder(folder) else "images"
    first = folder.pattern or next(iter(folder.paths.values())).name
    return f"  {folder.name}: {len(folder.paths)} {kind}, such as {first}"


def _guess(look: TableLook) -> str:
    if look.role not in ("labels", "sample"):
        return ""
    labels, sample = (look, None) if look.role == "labels" else (None, look)
    names = [match.competition.name for match in matching_competitions(labels, sample, None, frozenset())]
    return f"; like {' or '.join(names)}" if names else ""


def _headers(folder: ImageFolder, progress: Progress) -> tuple[Counter[tuple[int, int]], Counter[str], tuple[str, ...]]:
    """Sizes and kinds of all images, and the ids of those whose header cannot be read."""

    def look(item: tuple[str, Path]) -> tuple[tuple[int, int] | None, str]:
        try:
            return read_size(item[1]), file_kind(item[1])
        except DataError:
            return None, ""

    with progress.task("looking at images", len(folder.paths)) as task, ThreadPoolExecutor() as pool:
        found = []
        for one in pool.map(look, folder.paths.items()):
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
    """How many channels the first image has that can be read."""
    for path in folder.paths.values():
        try:
            values = read_stored(path)
        except DataError:
            continue
        return 1 if values.ndim == 2 else values.shape[2]
    return 0


def _values(folder: ImageFolder) -> ValueLook:
    """Type, smallest and largest value of some images, as they are stored."""
    paths = list(folder.paths.values())
    found = []
    for path in paths[:: -(-len(paths) // _VALUES_IN)]:
        with suppress(DataError):
            found.append(read_stored(path, whole_depth=True))
    if not found:
        return ValueLook("", 0, 0, 0)
    low, high = min(float(values.min()) for values in found), max(float(values.max()) for values in found)
    return ValueLook(str(found[0].dtype), len(found), low, high)


def _mask_files(images: ImageFolder, pairing: Pairing, named: int, progress: Progress) -> MaskFilesLook:
    """Look at the mask files, at all of them unless they are very large; `named` classes have a name somewhere."""
    names = {one: f"{pairing.prefix}{one}{pairing.suffix}" for one in images.paths}
    paths = [pairing.masks.paths[name] for name in names.values() if name in pairing.masks.paths]
    pixels = _pixels_of(paths[0]) * len(paths)
    shown = paths[:: max(1, -(-pixels // _MASK_PIXELS))]
    every = max(1, len(shown) // _PIECES_IN)
    work = [(path, number % every == 0) for number, path in enumerate(shown)]
    looks, kinds, broken = [], Counter[str](), 0
    with progress.task("looking at masks", len(work)) as task, ThreadPoolExecutor() as pool:
        for kind, look in pool.map(_look, work):
            kinds[kind] += 1
            broken += look is None
            looks += [] if look is None else [look]
            task.advance()
    covers = [1 - look.values.get(0, 0) / max(1, sum(look.values.values())) for look in looks if look.values]
    empty = sum(not cover for cover in covers)
    covered = sum(covers) / max(1, len(covers))
    return MaskFilesLook(dict(kinds.most_common()), interpret_values(looks, named), len(shown), empty, covered, broken)


def _pixels_of(path: Path) -> int:
    try:
        height, width = read_size(path)
    except DataError:
        return 0
    return height * width


def _look(item: tuple[Path, bool]) -> tuple[str, MaskValues | None]:
    path, with_components = item
    try:
        return file_kind(path), values_of_mask(
            read_stored(path, palette_as_index=True, arrays=MASK_ARRAYS), with_components=with_components
        )
    except DataError:
        return file_kind(path), None


def _read_labels(labels: TableLook, roles: Roles) -> RleReading | None:
    """Which reading of the run-length encodings fits images and mask files."""
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
            samples.append(Labelled(several, size, partial(read_image, path), _mask_reader(image_id, roles.pairing)))
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


def _document(scan: FolderScan, images: ImageFolder) -> Document | None:
    """COCO's file, or labelme's folder with one file an image."""
    for path in scan.documents:
        tree = _read_json(path)
        if isinstance(tree, dict) and {"images", "annotations", "categories"} <= tree.keys():
            named = {image_id_of(Path(name).name) for name in _named(tree["images"], "file_name")}
            if named & images.paths.keys():
                return Document(path, "coco", _named(tree["categories"], "name"))
    beside = [path for path in scan.documents if path.stem in images.paths]
    if len(beside) < max(1, len(images.paths) // 2):
        return None
    names: dict[str, None] = {}
    for path in beside:
        tree = _read_json(path)
        if not isinstance(tree, dict) or "shapes" not in tree:
            return None
        names |= dict.fromkeys(_named(tree["shapes"], "label"))
    return Document(beside[0].parent, "labelme", tuple(sorted(names)))


def _named(entries: Any, key: str) -> tuple[str, ...]:
    """What entries of a list are called; nothing of what is no such list."""
    listed = entries if isinstance(entries, list) else []
    return tuple(str(one.get(key, "")) for one in listed if isinstance(one, dict))


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return None


def _class_names(
    scan: FolderScan, tables: Sequence[TableLook], document: Document | None
) -> tuple[dict[Any, str], str]:
    """Names of classes by pixel value or colour, and where they stand."""
    for look in tables:
        if look.role == "classes":
            lower = [name.lower() for name in look.table.columns]
            places = [lower.index(letter) for letter in "rgb"]
            named = next((lower.index(word) for word in ("name", "class", "label") if word in lower), 0)
            colours = {tuple(int(row[place]) for place in places): row[named].strip() for row in look.table.rows}
            return colours, scan.name(look.table.path)
    for path in scan.texts:
        if path.stem.lower() in ("classes", "class_names", "codes", "labels", "label_names", "categories"):
            lines = [line.strip() for line in path.read_text("utf-8", "replace").splitlines() if line.strip()]
            return dict(enumerate(lines)), scan.name(path)
    return {}, ""
