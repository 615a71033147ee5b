"""`tk init`: recognise a competition folder and write a config.yaml with reasons."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.commands.session import Session
from toolkit.commands.starting.choices.choice import Choice
from toolkit.commands.starting.choices.data_choices import data_choices
from toolkit.commands.starting.choices.mask_choices import class_choices, cut_in_the_middle, masks_are_a_table
from toolkit.commands.starting.choices.network_choices import network_choices, starting_values
from toolkit.commands.starting.init_text import config_text
from toolkit.commands.starting.starting_point import (
    DEFINED_BY_COMPETITION,
    load_checked,
    warn_of_labels,
    written_if_sound,
)
from toolkit.config.loading import load_config
from toolkit.config.yaml.key_differences import written
from toolkit.errors import NothingToLearnError, counted, listing
from toolkit.files.images.names.image_folder import ImageFolder
from toolkit.files.inspection.value_findings import ALIKE
from toolkit.files.masks.value_keys import refuse_unclear
from toolkit.files.recognition.folders.roles import WITHOUT_MASKS, is_mask_folder, other_masks
from toolkit.files.recognition.folders.unread_files import unread_files
from toolkit.files.recognition.recognising import Recognised, recognise
from toolkit.files.recognition.tables.recognised_tables import RecognisedTable
from toolkit.messages import Table
from toolkit.report.result import Result

_LISTS_SHOWN = 6
_ROLES: Mapping[str, str] = {
    "labels": "labels",
    "sample": "rows for test images",
    "metadata": "metadata",
    "classes": "names of classes",
    "unknown": "not understood",
}


@dataclass(frozen=True)
class Statement:
    """A key, its value, the reason, and an alternative if there is one."""

    key: str
    value: str
    why: str
    other: str


@dataclass(frozen=True)
class InitResult(Result):
    """The recognised keys, and the experiment that `tk init` has written."""

    experiment: str
    config: str
    recognised: list[Statement]
    not_used: list[str]
    training_images: int
    test_images: int

    def tables(self) -> list[Table]:
        """The recognised keys, the alternatives, and the files that were not used."""
        rows = [(one.key, one.value, one.why) for one in self.recognised]
        tables = [Table(f"{self.config}: recognised", ("key", "value", "why"), rows)]
        others = [(one.key, one.value or "(left out)", one.other) for one in self.recognised if one.other]
        if others:
            tables.append(Table("alternatives", ("key", "chosen", "alternative"), others))
        if self.not_used:
            tables.append(Table("not understood or not used", ("",), [(line,) for line in self.not_used]))
        return tables

    def next_steps(self) -> list[str]:
        """The next command."""
        return [
            f"check {self.config}, which gives the reasons",
            f"next: tk data {self.experiment}, then tk fit {self.experiment}",
        ]


def init(session: Session, folder: Path, *, name: str = "baseline") -> InitResult:
    """Look at a competition folder and write experiments/NAME/config.yaml.

    Raises:
        ConfigError: the name is taken or not valid.
        MissingFileError: there is no such folder.
        NothingToLearnError: it holds no images or no labels; the message lists what was found.
        DataError: files contradict each other.
    """
    experiment = session.workspace.new(name)
    found = recognise(folder, session.progress)
    _refuse_unclear_masks(found)
    data = data_choices(found, experiment)
    form = next((choice.value for choice in data if choice.key[-1] == "competition"), None)
    defined = (
        DEFINED_BY_COMPETITION
        if form is not None and masks_are_a_table(found)
        else ("primary_metric",) * (form is not None)
    )
    classes = class_choices(found)
    others = network_choices(found, classes, "" if form is not None else None)
    unused = not_used(found, data)
    text = config_text(str(folder), data, others, starting_values(others, defined), unused)
    with written_if_sound(experiment, text):
        training, tests = load_checked(experiment)
        warn_of_labels(load_config(experiment.config).config, session.progress)
    statements = [_statement(choice) for choice in (*data, *others) if choice.why]
    return InitResult(experiment.name, str(experiment.config), statements, unused, training, tests)


def _refuse_unclear_masks(found: Recognised) -> None:
    """Check that the values of mask files say what they mean, unless a table of labels is used."""
    look, pairing = found.mask_files, found.roles.pairing
    if look is None or pairing is None or masks_are_a_table(found):
        return
    if look.reading.alike:
        raise NothingToLearnError(f"{pairing.masks.folder}: {ALIKE}", other_masks(found.roles))
    error = (
        None
        if cut_in_the_middle(found) and not look.reading.colours
        else refuse_unclear(look.reading, pairing.masks.folder)
    )
    if error is not None:
        raise error


def not_used(found: Recognised, choices: Sequence[Choice] = ()) -> list[str]:
    """The contents of the folder that the configuration does not use; `choices` are its keys below `data`."""
    scan, roles = found.scan, found.roles
    lines = [found.misdescribed] if found.misdescribed else []
    lines += [
        f"{'/'.join(filter(None, (folder.name, folder.pattern)))}: {len(folder.paths)} {what}"
        + (_channels_too(found, folder) if what == WITHOUT_MASKS else "")
        for folder, what in (*roles.unused, *roles.unreadable)
    ]
    lacking = (
        0
        if roles.pairing is None or masks_are_a_table(found)
        else round((1 - roles.pairing.share) * len(found.images.paths))
    )
    if found.id_lists and not any(choice.key == ("data", "ids") for choice in choices):
        shown = ", ".join(f"{scan.name(one.path)} ({len(one.ids)})" for one in found.id_lists[:_LISTS_SHOWN])
        lines.append(f"lists of ids: {shown}; to use only the images of one: ids: {scan.name(found.id_lists[0].path)}")
    elif found.id_lists:
        lacking = 0
    if lacking:
        lines.append(
            f"{counted(lacking, 'image has', 'images have')} no mask file: tk fit refuses them until you write under "
            "data what that means: unlabelled: leave_out (not labelled), or unlabelled: empty (they show nothing)"
        )
    if found.mask_files is not None and found.mask_files.other_sizes and not masks_are_a_table(found):
        other = found.mask_files.other_sizes
        lines.append(
            f"{counted(len(other), 'mask has', 'masks have')} another size than the image: {listing(other)}; tk fit "
            "reports an error until they have the same size"
        )
    if roles.validation is not None:
        images, pairing = roles.validation
        lines.append(
            f"{images.name} with {pairing.masks.name}: {counted(len(images.paths), 'more labelled image')}; to train "
            "with them in every fold, use data.extra_train_data"
        )
    used = {id(found.labels), id(found.sample)}
    lines += [
        f"{scan.name(table.table.path)}: {_ROLES[table.role]}; {table.why}{_too_few(found, table)}"
        for table in found.tables
        if id(table) not in used
        and not (table.role == "metadata" and table.image_ids >= found.images.paths.keys())
        and table.role != "classes"
    ]
    lines += _documents(found)
    if found.unreadable:
        lines.append(f"{counted(len(found.unreadable), 'image')} cannot be read: {listing(found.unreadable)}")
    if roles.test is None:
        lines.append("no folder of test images was found: a submission requires data.test")
    lines += unread_files(scan, read=[*(one.path for one in found.id_lists), scan.root / found.class_names_from])
    return lines


def _too_few(found: Recognised, table: RecognisedTable) -> str:
    """The text about a table of metadata that does not list all images."""
    named = len(table.image_ids & found.images.paths.keys())
    return f"; it lists only {named} of the {len(found.images.paths)} images" if table.role == "metadata" else ""


def _documents(found: Recognised) -> list[str]:
    """JSON files that are not the source of labels, and documents of test images."""
    documents, scan = found.documents, found.scan
    shapes = () if found.mask_files is not None or masks_are_a_table(found) else (found.document, *documents.more)
    used = {one.path for one in (*shapes, *documents.test) if one is not None}
    noted = {note.partition(": ")[0] for note in documents.notes}
    rest = [path for path in scan.documents if not used & {path, path.parent} and scan.name(path) not in noted]
    lines = [f"{counted(len(rest), 'JSON file')}: {listing(map(scan.name, rest))}"] if rest else []
    lines += documents.notes
    for one in shapes:
        if one is not None and one.unlisted:
            lines.append(
                f"{counted(one.unlisted, 'image has', 'images have')} no label in {scan.name(one.path)}: tk fit reports"
                " an error until data.unlabelled says what that means: empty, or leave_out"
            )
    for one in documents.test:
        if one.images is not None:
            lines.append(
                f"{scan.name(one.path)}: labels of {counted(len(one.images.paths), 'test image')}; to score them: "
                f"tk evaluate NAME --images {one.images.folder} --masks {one.path}"
            )
    return lines


def _channels_too(found: Recognised, folder: ImageFolder) -> str:
    """A hint about images without masks that have the ids of the training images."""
    same = folder.paths.keys() == found.images.paths.keys() and not is_mask_folder(folder)
    return (
        f", with the ids of {found.images.name}; if they are further channels, use both: images: [A, B]" if same else ""
    )


def _statement(choice: Choice) -> Statement:
    value = written(choice.value) if choice.has_value else ""
    return Statement(".".join(choice.key), value, choice.why, choice.other)
