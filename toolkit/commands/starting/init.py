"""`tk init`: recognise a competition folder and write a config.yaml with reasons."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.commands.result import Result
from toolkit.commands.session import Session
from toolkit.commands.starting.data_choices import Choice, class_choices, data_choices, masks_are_a_table
from toolkit.commands.starting.init_text import config_text
from toolkit.commands.starting.network_choices import network_choices, starting_values
from toolkit.commands.starting.starting_point import DEFINED_BY_COMPETITION, load_checked, written_if_sound
from toolkit.errors import counted, listing
from toolkit.files.recognition.folder_scan import ImageFolder
from toolkit.files.recognition.recognised_tables import RecognisedTable
from toolkit.files.recognition.recognising import Recognised, recognise
from toolkit.files.recognition.roles import is_instance_folder, is_mask_folder
from toolkit.messages import Table

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
    data = data_choices(found, experiment)
    form = next((choice.value for choice in data if choice.key[-1] == "competition"), None)
    defined = (
        DEFINED_BY_COMPETITION
        if form is not None and masks_are_a_table(found)
        else ("primary_metric",) * (form is not None)
    )
    classes = class_choices(found)
    others = network_choices(found, classes, "" if form is not None else None)
    unused = not_used(found)
    text = config_text(str(folder), data, others, starting_values(others, defined), unused)
    with written_if_sound(experiment, text):
        training, tests = load_checked(experiment)
    statements = [_statement(choice) for choice in (*data, *others) if choice.why]
    return InitResult(experiment.name, str(experiment.config), statements, unused, training, tests)


def not_used(found: Recognised) -> list[str]:
    """The contents of the folder that the configuration does not use."""
    scan, roles = found.scan, found.roles
    lines = [found.misdescribed] if found.misdescribed else []
    lines += [
        f"{'/'.join(filter(None, (folder.name, folder.pattern)))}: {len(folder.paths)} {what}"
        f"{_channels_too(found, folder)}"
        for folder, what in (*roles.unused, *roles.unreadable)
    ]
    lacking = (
        0
        if roles.pairing is None or masks_are_a_table(found)
        else round((1 - roles.pairing.share) * len(found.images.paths))
    )
    if lacking:
        lines.append(
            f"{counted(lacking, 'image has', 'images have')} no mask file: tk fit reports an error until there is one, "
            "or the image is removed"
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
    lines += [counted(count, f"{ending} file") for ending, count in sorted(scan.others.items())]
    return lines


def _too_few(found: Recognised, table: RecognisedTable) -> str:
    """The text about a table of metadata that does not list all images."""
    named = len(table.image_ids & found.images.paths.keys())
    return f"; it lists only {named} of the {len(found.images.paths)} images" if table.role == "metadata" else ""


def _documents(found: Recognised) -> list[str]:
    """JSON files that are not the source of labels."""
    used = None if found.document is None else found.document.path
    rest = [path for path in found.scan.documents if used not in (path, path.parent)]
    return [f"{counted(len(rest), 'JSON file')}: {listing(map(found.scan.name, rest))}"] if rest else []


def _channels_too(found: Recognised, folder: ImageFolder) -> str:
    """A hint about images without masks that have the ids of the training images."""
    same = folder.paths.keys() == found.images.paths.keys() and not is_mask_folder(folder)
    if same and is_instance_folder(folder):
        return "; to separate objects of one class, use them as masks with mask_encoding: instances"
    return (
        f", with the ids of {found.images.name}; if they are further channels, use both: images: [A, B]" if same else ""
    )


def _statement(choice: Choice) -> Statement:
    value = _written(choice.value) if choice.has_value else ""
    return Statement(".".join(choice.key), value, choice.why, choice.other)


def _written(value: object) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(_written, value)) + "]"
    return "null" if value is None else str(value)
