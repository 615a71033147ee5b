"""`tk import`: an experiment from the configuration of another system."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.commands.session import Session
from toolkit.commands.starting.foreign_keys import (
    Foreign,
    not_valid_here,
    read_class_numbers,
    read_foreign,
    refuse_problems,
    with_names,
)
from toolkit.commands.starting.init_text import comment
from toolkit.commands.starting.mask_classes import mask_warnings
from toolkit.commands.starting.starting_point import HEADER, check_data, naming_origins, relative_path, written_if_sound
from toolkit.config.loading import load_config, with_relative_paths
from toolkit.config.migrating.systems import translated
from toolkit.config.migrating.translation import EPOCHS, TranslatedKey, Translation
from toolkit.config.models import Config
from toolkit.config.yaml.key_differences import written
from toolkit.config.yaml.yaml_files import write_yaml
from toolkit.errors import ConfigError
from toolkit.files.disk.writing import write_text
from toolkit.files.experiment.folder import Experiment
from toolkit.messages import Table
from toolkit.report.result import Result

_USUAL_STEM = "config"

_DECISIVE = ("architecture", "backbone", "encoder_weights", "shape", "classes", "loss", "optimizer", "primary_metric")
"""Keys of which the default is named if a file does not set them."""


@dataclass(frozen=True)
class ImportResult(Result):
    """What became of each key of the file, and the experiment that `tk import` has written.

    `defaults` are the keys that decide what is trained and that the file does not set, with the value that is used;
    `training` says how many networks are trained, and for how long.
    """

    experiment: str
    config: str
    file: str
    system: str
    keys: list[TranslatedKey]
    training_images: int
    test_images: int
    defaults: dict[str, str]
    training: str

    def tables(self) -> list[Table]:
        """The translated keys, and those that could not be translated."""
        done = [(one.key, "\n".join(filter(None, (one.here, one.note)))) for one in self.keys if one.here]
        left = [(one.key, one.note) for one in self.keys if not one.here]
        tables = [Table(f"{self.config}: from {self.file}, {self.system}", ("there", "here"), done)]
        return [*tables, Table("not translated", ("there", "why"), left)] if left else tables

    def next_steps(self) -> list[str]:
        """What was not translated, what will be trained, and the next commands."""
        left = [one.key for one in self.keys if not one.here]
        lines = []
        if left:
            lines = [f"{_keys(len(left))} not translated: {', '.join(left)}"]
        if self.defaults:
            used = ", ".join(f"{key}: {value}" for key, value in self.defaults.items())
            lines += [f"not in the file, so the default is used: {used}"]
        return [
            *lines,
            self.training,
            f"{self.training_images} training and {self.test_images} test images; check {self.config}",
            f"next: tk data {self.experiment}, then tk fit {self.experiment}",
        ]


def _keys(count: int) -> str:
    return "1 key was" if count == 1 else f"{count} keys were"


@dataclass(frozen=True)
class DataFolders:
    """The data of the experiment; they take precedence over those that the file names.

    `classes` is the file with all classes that the masks have, in the order of their numbers.
    """

    images: Path | None = None
    masks: Path | None = None
    test: Path | None = None
    classes: Path | None = None


def import_config(
    session: Session,
    file: Path,
    *,
    name: str | None = None,
    data: DataFolders = DataFolders(),
    skip: Sequence[str] = (),
) -> ImportResult:
    """Translate the configuration of another system, and write experiments/NAME/config.yaml.

    Args:
        session: the workspace.
        file: YAML or JSON.
        name: of the experiment; by default what the file calls it, or the name of the file or its folder.
        data: folders of images, and masks.
        skip: keys of the file to leave out, as messages write them (`model.name`).

    Raises:
        MissingFileError: there is no such file, or the data cannot be found.
        ConfigError: the file is of no known system, has a key or value that is not known, names no data, or its
            translation is not valid.
        DataError, NothingToLearnError: the data cannot be found, or no image has a mask.
    """
    foreign = read_foreign(file, skip)
    experiment = _place(session, foreign, name)
    numbers = {} if data.classes is None else read_class_numbers(data.classes)
    found = translated(foreign.system, foreign.tree, foreign.file.parent, numbers)
    _add_data(found, data)
    refuse_problems(found, foreign)
    if data.classes is not None and "mask_values" not in found.tree.get("data", {}):
        raise ConfigError(
            f"--classes-file: {foreign.system.name} has no such file", "It belongs to a JSON with the key classes."
        )
    with_names(found, experiment.name, foreign)
    for path in foreign.skipped:
        found.lose(".".join(map(str, path)), "left out by --skip")
    return _write_checked(session, experiment, found, foreign)


def _place(session: Session, foreign: Foreign, name: str | None) -> Experiment:
    """The place of the new experiment: the name, what the file calls it, or the name of the file or its folder."""
    file, own = foreign.file, foreign.tree.get("name")
    if name is not None:
        return session.workspace.new(name)
    if not isinstance(own, str):
        return session.workspace.new(file.stem if file.stem != _USUAL_STEM else file.absolute().parent.name)
    try:
        return session.workspace.new(own)
    except ConfigError as error:
        raise ConfigError(
            f"{foreign.where('name')}: {error.message}", "To give the experiment another name: --name NAME"
        ) from error


def _add_data(found: Translation, data: DataFolders) -> None:
    given = {"images": data.images, "masks": data.masks, "test": data.test}
    for key, path in given.items():
        if path is not None:
            found.tree.setdefault("data", {})[key] = str(path.absolute())
            found.origins[f"data.{key}"] = f"--{key}"
            found.say(f"--{key}", f"data.{key}: {path}")


def _write_checked(session: Session, experiment: Experiment, found: Translation, foreign: Foreign) -> ImportResult:
    with written_if_sound(experiment, _text(experiment, found, foreign, "")):
        try:
            config = load_config(experiment.config).config
        except ConfigError as error:
            raise not_valid_here(error, experiment.config, found, foreign) from error
        places = {key: one if one.startswith("--") else foreign.where(one) for key, one in found.origins.items()}
        with naming_origins(places):
            training, tests = check_data(config)
        warnings = [*found.warnings, *mask_warnings(config)]
        if found.batches_per_epoch is not None:
            _set_epochs(found, found.batches_per_epoch, config, training)
        plan = _training(config, found)
        write_text(experiment.config, _text(experiment, found, foreign, plan))
    for warning in warnings:
        session.progress.warn(warning)
    defaults = {key: written(getattr(config, key)) for key in _DECISIVE if key not in found.tree}
    paths = (experiment.name, str(experiment.config), str(foreign.file), foreign.system.name)
    return ImportResult(*paths, found.keys, training, tests, defaults, plan)


def _training(config: Config, found: Translation) -> str:
    """How many networks are trained and for how long, and how to train a single one as the other system does."""
    numbers = [str(stage["epochs"]) for stage in found.tree["stages"]]
    epochs = numbers[0] if len(numbers) == 1 else f"({' + '.join(numbers)})"
    folds = config.folds_count
    if folds == 1:
        return f"one network will be trained for {epochs} epochs"
    return (
        f"{folds} networks will be trained, one for each fold: {folds} folds × {epochs} epochs; for one network, as "
        "there: folds_count: 1, validationSplit: 0.2"
    )


def _set_epochs(found: Translation, batches: int, config: Config, training: int) -> None:
    """As many epochs as show the images as often as epochs of a given number of batches do."""
    per_fold = max(1, round(training * (1 - 1 / config.folds_count)))
    shown = config.stages[0].epochs * batches * config.batch
    epochs = math.ceil(shown / per_fold)
    found.tree["stages"] = ({"epochs": epochs},)
    note = f"{shown} images are shown there; a fold here trains on {per_fold}, each once per epoch"
    found.keys[:] = [
        TranslatedKey(one.key, f"{EPOCHS}: {epochs}", note) if one.here.startswith(EPOCHS) else one
        for one in found.keys
    ]


def _text(experiment: Experiment, found: Translation, foreign: Foreign, plan: str) -> str:
    """The text of config.yaml: what could not be translated and what is trained as comments, then the keys."""
    head = comment(
        f"Written by tk import from {relative_path(foreign.file, experiment)}, a file of {foreign.system.name}."
    )
    left = [one for one in found.keys if not one.here]
    if left:
        head += ["# Not translated (docs/migrating.md):"]
        head += [line for one in left for line in comment(f"{one.key}: {one.note}", "#   ")]
    head += comment(f"{plan[:1].upper()}{plan[1:]}.") if plan else []
    ordered = {key: found.tree[key] for key in Config.model_fields if key in found.tree}
    return HEADER + "\n".join(head) + "\n" + write_yaml(with_relative_paths(ordered, experiment.folder))
