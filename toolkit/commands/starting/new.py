"""`tk new`: a new experiment with a config.yaml to start from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.commands.session import Session
from toolkit.commands.starting.mask_classes import keys_of_classes
from toolkit.commands.starting.starting_point import (
    DEFINED_BY_COMPETITION,
    HEADER,
    STARTING_POINT,
    check_data,
    folds_for,
    naming_origins,
    relative_path,
    warn_of_labels,
    written_if_sound,
)
from toolkit.commands.training.made_from import code_of
from toolkit.config.data.competitions import PRESETS, find_competition, is_competition_file
from toolkit.config.loading import settings_of, with_settings
from toolkit.config.models import Config
from toolkit.config.yaml.yaml_files import write_yaml
from toolkit.errors import ConfigError, counted
from toolkit.files.data.as_unpacked import channels_as_unpacked, keys_as_unpacked
from toolkit.files.datasets.dataset import find_labelled
from toolkit.files.disk.writing import write_text
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.resolved import load_experiment
from toolkit.files.inspection.value_findings import labels_of, reading_of
from toolkit.files.masks.value_keys import are_several, as_lines, keys_for, names_of, refuse_unclear
from toolkit.messages import Progress, Table
from toolkit.report.result import Result

_DECIDES_CLASSES = {"classes", "activation", "loss", "stages"}
"""Keys that would be chosen for the classes in the masks; who sets one of them chooses the classes too."""
_DECIDES_FOLDS = {"folds_count", "folds", "validationSplit"}
_GIVEN = "# Images and masks: the dataset that Experiment(path).fit(dataset) is given in Python\n"


@dataclass(frozen=True)
class NewResult(Result):
    """The experiment that `tk new` has written; `is_given` says that its dataset was given in Python."""

    experiment: str
    config: str
    training_images: int
    test_images: int
    is_given: bool = False

    def tables(self) -> list[Table]:
        """The numbers of images."""
        rows = [("training images", str(self.training_images)), ("test images", str(self.test_images))]
        return [Table(f"{self.config}", ("", ""), rows)]

    def next_steps(self) -> list[str]:
        """The next command."""
        folder = str(Path(self.config).parent)
        fit = f"Experiment({folder!r}).fit(dataset)" if self.is_given else f"tk fit {self.experiment}"
        return [f"next: check {self.config}, then {fit}"]


@dataclass(frozen=True)
class DataFiles:
    """The data of an experiment; `competition` is the name of a preset or the path of a YAML file."""

    images: Path | None = None
    masks: Path | None = None
    test: Path | None = None
    sample_submission: Path | None = None
    competition: str | None = None


def new(
    session: Session,
    name: str,
    *,
    files: DataFiles = DataFiles(),
    extends: str | None = None,
    overrides: Sequence[str] = (),
) -> NewResult:
    """Write experiments/NAME/config.yaml, from data folders or as a variant of another experiment.

    A dataset that was given in Python stands in for folders of images and masks.

    Raises:
        ConfigError: the name is taken or not valid, or the configuration is not valid.
        MissingFileError, DataError, NothingToLearnError, SubmissionError: the data cannot be found.
    """
    experiment = session.workspace.new(name)
    data = _data(files, experiment)
    if extends is None and experiment.dataset is None and not {"images", "masks"} <= data.keys():
        raise ConfigError(
            "--images and --masks are required unless --extends is given",
            f"Run: tk new {name} --images FOLDER --masks FOLDER_OR_CSV, or tk new {name} --extends EXPERIMENT",
        )
    tree: dict[str, Any] = {"data": data} if data else {}
    code: dict[Path, str] = {}
    if extends is None:
        defined = DEFINED_BY_COMPETITION if files.competition is not None else ()
        tree |= {key: value for key, value in STARTING_POINT.items() if key not in defined}
        channels = None if files.images is None else channels_as_unpacked(data, files.images)
        tree |= {} if channels is None else {"shape": (*STARTING_POINT["shape"][:2], channels)}
    else:
        parent = session.workspace.find(extends)
        code = code_of(parent, experiment)
        tree = {"extends": relative_path(parent.config, experiment)} | tree
    asked = [key for key in data if key in DataFiles.__dataclass_fields__]
    origins = {f"data.{key}": f"--{key.replace('_', '-')}" for key in asked}
    added = [key for key in data if key not in asked]
    if added:
        session.progress.say(f"the files are named as in {files.competition}; config.yaml has its {', '.join(added)}")
    with naming_origins(origins):
        result = _write_checked(session, experiment, tree, overrides, code, recognise=extends is None)
    if code:
        copied = ", ".join(path.as_posix() for path in code)
        session.progress.say(f"copied from {extends}, because the code of an experiment is its own: {copied}")
    return result


def _data(files: DataFiles, experiment: Experiment) -> dict[str, Any]:
    """The keys below `data`."""
    paths = {
        "images": files.images,
        "masks": files.masks,
        "test": files.test,
        "sample_submission": files.sample_submission,
    }
    data = {key: relative_path(path, experiment) for key, path in paths.items() if path is not None}
    if files.competition is not None:
        is_file = is_competition_file(files.competition)
        data["competition"] = relative_path(Path(files.competition), experiment) if is_file else files.competition
        data |= _as_unpacked(files, files.competition)
    return data


def _as_unpacked(files: DataFiles, competition: str) -> dict[str, Any]:
    """The keys that read the files as the competition gives them, if they are those that are there."""
    if files.images is None or not (competition in PRESETS or Path(competition).is_file()):
        return {}
    keys = keys_as_unpacked(find_competition(competition), files.images)
    of_files = files.masks is not None and files.masks.is_dir()
    return {key: value for key, value in keys.items() if of_files or not key.startswith("mask_")}


def _write_checked(
    session: Session,
    experiment: Experiment,
    tree: dict[str, Any],
    overrides: Sequence[str],
    code: Mapping[Path, str],
    *,
    recognise: bool,
) -> NewResult:
    """Write config.yaml; with `recognise` it has a class for each value of the masks, unless classes are given."""
    header = HEADER if experiment.dataset is None else HEADER + _GIVEN
    with written_if_sound(experiment, header + write_yaml(tree), code):
        loaded = load_experiment(experiment, overrides)
        given = settings_of(overrides, experiment.folder)
        if recognise and not _DECIDES_CLASSES & given.keys():
            tree = _with_classes(tree, loaded.config, session.progress)
            write_text(experiment.config, header + write_yaml(tree))
            loaded = load_experiment(experiment, overrides)
        training, tests = check_data(loaded.config)
        folds = folds_for(training)
        if recognise and folds != tree["folds_count"] and not _DECIDES_FOLDS & given.keys():
            session.progress.say(f"there are only {counted(training, 'image')}: config.yaml has folds_count: {folds}")
            tree = tree | {"folds_count": folds}
            write_text(experiment.config, header + write_yaml(tree))
        if recognise:
            warn_of_labels(loaded.config, session.progress)
        if overrides:
            tree = with_settings(tree, given, experiment.config)
            write_text(experiment.config, header + write_yaml(tree))
    for note in loaded.notes:
        session.progress.say(note)
    is_given = loaded.config.data.is_given
    return NewResult(experiment.name, str(experiment.config), training, tests, is_given)


def _with_classes(tree: dict[str, Any], config: Config, progress: Progress) -> dict[str, Any]:
    """The keys with a class for each value or colour of the masks, if these are more than two; says so."""
    data = find_labelled(config)
    labels = labels_of(data)
    if labels:
        progress.say(
            f"shapes have the labels {', '.join(labels)}: each is read as a class of its own. For a single class of "
            "all shapes: --set classes=1"
        )
        return tree | {"classes": labels}
    reading = reading_of(data) if data.classes.values is None else None
    if reading is None:
        return tree
    if unclear := refuse_unclear(reading, config.data.masks):
        progress.warn(f"{unclear.message}. {unclear.advice}")
        return tree
    below = keys_for(reading)
    if are_several(reading):
        keys = keys_of_classes(reading)
        progress.say(
            f"{reading.why}: each is read as a class of its own, the first as background. In config.yaml give names to "
            f"{', '.join(keys['classes'])}. For a single class of all values above 0: --set classes=1"
        )
        return tree | keys | {"data": tree["data"] | below}
    if reading.code == "planes":
        names = names_of(reading)
        progress.say(
            f"{reading.why}: each channel is read as a class of its own, and classes may overlap. In config.yaml give "
            f"names to {', '.join(names)}"
        )
        return tree | {"classes": names, "data": tree["data"] | below}
    if reading.code == "instances":
        progress.say(f"{reading.why}: they are read as objects of one class")
    elif below:
        progress.say(f"{reading.why}: they are read with {as_lines(below)}")
    return tree | {"data": tree["data"] | below} if below else tree
