"""Recognises the content of a competition folder, with the reasons."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from toolkit.config.data.competitions import find_competition
from toolkit.config.yaml.file_paths import regular
from toolkit.core.arrays import Mask
from toolkit.errors import ConfigError, DataError, MissingFileError, NothingToLearnError, counted, listing
from toolkit.files.images.channel_files import FileNames
from toolkit.files.images.decoding import image_id_of, read_image, read_mask_values
from toolkit.files.images.names.image_folder import ImageFolder
from toolkit.files.images.names.pairing import Pairing
from toolkit.files.masks.loose_cells import is_empty_word
from toolkit.files.masks.mask_pairs import pairs_of
from toolkit.files.recognition.examined_files import (
    MaskFilesSummary,
    ValueSummary,
    are_binary_masks,
    are_masks,
    channels_of_first,
    headers,
    reason_against,
    size_or_none,
    summary_of_masks,
    values_of_some,
)
from toolkit.files.recognition.folders.channel_stacks import file_names_of
from toolkit.files.recognition.folders.composed_ids import regrouped
from toolkit.files.recognition.folders.fields_of_view import without_fields_of_view
from toolkit.files.recognition.folders.folder_scan import FolderScan, scan_folder
from toolkit.files.recognition.folders.id_lists import IdList, find_id_lists, refuse_other_pairs
from toolkit.files.recognition.folders.roles import Roles, find_roles, is_mask_folder
from toolkit.files.recognition.folders.unread_files import NO_IMAGES, no_masks, unread_files
from toolkit.files.recognition.folders.unreadable_masks import without_unreadable
from toolkit.files.recognition.shape_documents import (
    Document,
    Documents,
    advice_about_tools,
    are_of_tasks,
    find_documents,
    roles_by_documents,
)
from toolkit.files.recognition.tables.known_competitions import Match, matching_competitions, refuse_other_masks
from toolkit.files.recognition.tables.recognised_tables import RecognisedTable, recognise_table
from toolkit.files.recognition.tables.rle_readings import RleReading, RleSample, read_order
from toolkit.messages import Progress

_SHOWN = 20


@dataclass(frozen=True, eq=False)
class Recognised:
    """Everything that was recognised; None or empty if it does not exist.

    `document` describes the training images by shapes; `documents` has the others too. `misdescribed` is the reason why
    the folder's description of its competition cannot be used.
    """

    scan: FolderScan
    roles: Roles
    images: ImageFolder
    sizes: Counter[tuple[int, int]]
    kinds: Counter[str]
    unreadable: tuple[str, ...]
    channels: int
    values: ValueSummary
    names: FileNames
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
    id_lists: tuple[IdList, ...] = ()
    documents: Documents = field(default_factory=Documents)

    @property
    def metadata(self) -> tuple[RecognisedTable, ...]:
        """The tables with metadata of images."""
        return tuple(table for table in self.tables if table.role == "metadata")


def recognise(root: Path, progress: Progress) -> Recognised:
    """Recognise the content of a folder.

    Raises:
        MissingFileError: the folder does not exist.
        NothingToLearnError: the folder has no images, or no masks.
        DataError: none of the images can be read, or a list pairs them with other masks than names do.
    """
    scan = regrouped(scan_folder(root))
    folders = counted(len(scan.folders), "folder of images", "folders of images")
    progress.say(f"examining {root}: {folders}, {counted(len(scan.tables), 'table')}")
    every = {image_id for folder in scan.folders for image_id in folder.paths}
    first = [recognise_table(path, every, ()) for path in scan.tables]
    if not scan.folders:
        raise NothingToLearnError(
            _nothing(scan, first), "Unpack or convert the images into this folder, then run tk init again."
        )
    documents = find_documents(scan)
    roles = _roles(scan, first, documents)
    if roles.images is None:
        raise NothingToLearnError(_nothing(scan, first), NO_IMAGES)
    if roles.pairing is not None and not roles.class_folders:
        refuse_other_pairs(scan, roles.pairing)
    test_ids = () if roles.test is None else roles.test.paths
    tables = tuple(recognise_table(path, roles.images.paths, test_ids) for path in scan.tables)
    sizes, kinds, unreadable = headers(roles.images, progress)
    if not sizes:
        raise DataError(
            f"none of the {len(unreadable)} images in {roles.images.folder} can be read: {listing(unreadable)}",
            f"The first one: {reason_against(next(iter(roles.images.paths.values())))}",
        )
    train_ids = roles.images.paths.keys()
    labels = _largest([table for table in tables if table.role == "labels" and table.image_ids & train_ids])
    samples = [table for table in tables if table.role == "sample"]
    sample = _largest([table for table in samples if table.is_trivial] or samples)
    described, misdescribed = _described(scan)
    document = documents.main
    named = class_order(described, sample, labels)
    masks = None if roles.pairing is None else summary_of_masks(roles.images, roles.pairing, len(named), progress)
    if masks is None and labels is None and document is None:
        raise NothingToLearnError(
            "\n".join([_nothing(scan, tables, roles), *(f"  {note}" for note in documents.notes)]),
            next((table.advice for table in tables if table.advice), "")
            or advice_about_tools(scan)
            or no_masks(scan, roles),
        )
    rle = None if labels is None else _read_labels(labels, roles)
    fitting = matching_competitions(labels, sample, rle, frozenset(sizes), roles.images.pattern)
    matches = (described,) if described else tuple(fitting)
    refuse_other_masks(roles, matches)
    stored = file_names_of(roles.images, matches[0].competition.files if matches else {})
    names, names_from = _class_names(scan, tables, document)
    return Recognised(
        scan=scan,
        roles=roles,
        images=roles.images,
        sizes=sizes,
        kinds=kinds,
        unreadable=unreadable,
        channels=channels_of_first(roles.images, stored),
        values=values_of_some(roles.images, stored),
        names=stored,
        mask_files=masks,
        tables=tables,
        labels=labels,
        sample=sample,
        rle=rle,
        matches=matches,
        misdescribed=misdescribed,
        id_lists=find_id_lists(scan, roles.images),
        document=document,
        documents=documents,
        class_names=names,
        class_names_from=names_from,
    )


def _roles(scan: FolderScan, tables: Sequence[RecognisedTable], documents: Documents) -> Roles:
    """The role of each folder, by names, by what files hold, and by tables and documents that name images."""
    labelled = {one for table in tables if table.role == "labels" for one in table.image_ids}
    wanted = {one for table in tables if table.role == "sample" for one in table.image_ids}
    usable, refused = without_unreadable(scan.folders)
    roles = find_roles(usable, labelled - wanted, wanted - labelled, are_masks=are_masks, are_binary=are_binary_masks)
    roles = replace(roles, unreadable=tuple(refused))
    if roles.pairing is not None and are_of_tasks(roles.pairing.masks):
        roles = replace(roles, pairing=None)  # equal numbers of tasks and images prove nothing
    if roles.pairing is None and (roles.images is None or labelled.isdisjoint(roles.images.paths)):
        roles = roles_by_documents(documents, roles)
    return _paired_by_table(without_fields_of_view(roles), tables)


def _paired_by_table(roles: Roles, tables: Sequence[RecognisedTable]) -> Roles:
    """The roles with the masks of a table that pairs images with mask files, if names alone do not give the same."""
    if roles.images is None or roles.class_folders:
        return roles
    images = _by_whole_names(roles.images)
    for table in tables:
        pairs = pairs_of(table.table, images.paths, table.table.path.name) if table.table.rows else None
        pairs = {one: path for one, path in (pairs or {}).items() if one in images.paths}
        used = set(pairs.values())
        if not used.difference(images.paths.values()) or _agrees(roles.pairing, pairs, images):
            continue
        masks = ImageFolder(table.table.path, table.table.path.name, pairs)
        pairing = Pairing(masks, "", "", len(pairs) / len(images.paths), images)
        unused = tuple(one for one in roles.unused if not used.issuperset(one[0].paths.values()))
        if images is roles.images:
            return replace(roles, pairing=pairing, unused=unused)
        test = None if roles.test is None else _by_whole_names(roles.test)
        return replace(roles, images=images, pairing=pairing, test=test, test_name="", unused=unused)
    return roles


def _by_whole_names(images: ImageFolder) -> ImageFolder:
    """The images by their whole names, where a pattern leaves a part out and all of them are in one folder."""
    if not images.pattern or "/" in images.pattern:
        return images
    return ImageFolder(images.folder, images.name, {image_id_of(path.name): path for path in images.paths.values()})


def _agrees(pairing: Pairing | None, pairs: Mapping[str, Path], images: ImageFolder) -> bool:
    """Whether a pairing by names has the mask files of a table; also if its masks are parts that are united."""
    if pairing is None:
        return False
    masks, several = pairing.masks.paths, "*" in pairing.masks.pattern
    named = {path: masks.get(f"{pairing.prefix}{one}{pairing.suffix}") for one, path in pairing.images.paths.items()}
    return several or all(named.get(images.paths[one]) == path for one, path in pairs.items())


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
    reasons = {} if roles is None else {id(folder): f"; not used: {what}" for folder, what in roles.unreadable}
    lines += [_described_folder(folder) + reasons.get(id(folder), "") for folder in scan.folders[:_SHOWN]]
    lines += [
        f"  {scan.name(table.table.path)}: {table.role}: {table.why}"
        + (f"; columns {', '.join(table.table.columns)}" if table.table.columns else "")
        + _guess(table)
        for table in tables[:_SHOWN]
    ]
    lines += [f"  {line}" for line in unread_files(scan, documents=True)]
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


def _read_labels(labels: RecognisedTable, roles: Roles) -> RleReading | None:
    """The reading of run-length encodings that fits the images and mask files."""
    images = roles.images
    texts: dict[str, list[str]] = {}
    for image_id, _, text in labels.rows:
        if images is not None and image_id in images.paths and not is_empty_word(text):
            texts.setdefault(image_id, []).append(text)
    samples = []
    for image_id, several in texts.items():
        if images is None:
            break
        path = images.paths[image_id]
        size = size_or_none(path)
        if size is not None:
            samples.append(RleSample(several, size, partial(read_image, path), _mask_reader(image_id, roles.pairing)))
    return read_order(samples) if samples else None


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
