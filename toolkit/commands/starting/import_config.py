"""`tk import`: an experiment from the configuration of another system."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.commands.result import Result
from toolkit.commands.session import Session
from toolkit.commands.starting.init_text import comment
from toolkit.commands.starting.starting_point import HEADER, check_data, relative_path, written_if_sound
from toolkit.config.loading import load_config, with_relative_paths
from toolkit.config.migrating.systems import SYSTEMS, System, system_of, translated
from toolkit.config.migrating.translation import EPOCHS, TranslatedKey, Translation
from toolkit.config.models import Config
from toolkit.config.yaml.yaml_files import read_document, write_yaml
from toolkit.errors import ConfigError, listing
from toolkit.files.disk.writing import write_text
from toolkit.files.experiment.folder import Experiment
from toolkit.messages import Table

_USUAL_STEM = "config"


@dataclass(frozen=True)
class ImportResult(Result):
    """What became of each key of the file, and the experiment that `tk import` has written."""

    experiment: str
    config: str
    file: str
    system: str
    keys: list[TranslatedKey]
    training_images: int
    test_images: int

    def tables(self) -> list[Table]:
        """The translated keys, and those that could not be translated."""
        done = [(one.key, one.here, one.note) for one in self.keys if one.here]
        left = [(one.key, one.note) for one in self.keys if not one.here]
        tables = [Table(f"{self.config}: from {self.file}, {self.system}", ("key", "here", "note"), done)]
        return [*tables, Table("not translated", ("key", "why"), left)] if left else tables

    def next_steps(self) -> list[str]:
        """The next commands."""
        return [
            f"{self.training_images} training and {self.test_images} test images; check {self.config}",
            f"next: tk data {self.experiment}, then tk fit {self.experiment}",
        ]


@dataclass(frozen=True)
class DataFolders:
    """The data of the experiment; they take precedence over those that the file names."""

    images: Path | None = None
    masks: Path | None = None
    test: Path | None = None


def import_config(
    session: Session, file: Path, *, name: str | None = None, data: DataFolders = DataFolders()
) -> ImportResult:
    """Translate the configuration of another system, and write experiments/NAME/config.yaml.

    Args:
        session: the workspace.
        file: YAML or JSON.
        name: of the experiment; by default what the file calls it, or the name of the file or its folder.
        data: folders of images, and masks.

    Raises:
        MissingFileError: there is no such file, or the data cannot be found.
        ConfigError: the file is of no known system, names no data, or its translation is not valid.
        DataError, NothingToLearnError: the data cannot be found.
    """
    tree, system = _recognised(file)
    experiment = session.workspace.new(name or _name(tree, file))
    found = translated(system, tree, file.parent)
    _add_data(found, data, file)
    training, tests = _write_checked(experiment, found, system, file)
    return ImportResult(experiment.name, str(experiment.config), str(file), system.name, found.keys, training, tests)


def _recognised(file: Path) -> tuple[Mapping[str, Any], System]:
    if file.suffix == ".py":
        raise ConfigError(
            f"{file} is Python, which is not run here to read a configuration",
            "What its variables are here: docs/migrating.md, patch_generator",
        )
    tree = read_document(file).tree
    system = system_of(tree)
    if system is not None:
        return tree, system
    known = "\n".join(f"  {system.name}: {', '.join(system.telling_keys)}" for system in SYSTEMS)
    if "data" in tree:
        raise ConfigError(
            f"{file} is a configuration of this toolkit: it has the key data",
            "Copy it to experiments/NAME/config.yaml, or run: tk new NAME --extends EXPERIMENT",
        )
    raise ConfigError(
        f"{file} is not a configuration that can be imported; its keys: {listing(tree, 8) or 'none'}\n"
        f"These systems are recognised, by keys such as\n{known}",
        "What other systems' settings are here: docs/migrating.md",
    )


def _name(tree: Mapping[str, Any], file: Path) -> str:
    """What the file calls the experiment, or the name of the file or, if that says nothing, of its folder."""
    if isinstance(tree.get("name"), str):
        return str(tree["name"])
    return file.stem if file.stem != _USUAL_STEM else file.absolute().parent.name


def _add_data(found: Translation, data: DataFolders, file: Path) -> None:
    given = {"images": data.images, "masks": data.masks, "test": data.test}
    for key, path in given.items():
        if path is not None:
            found.tree.setdefault("data", {})[key] = str(path.absolute())
            found.say(f"--{key}", f"data.{key}: {path}")
    if not {"images", "masks"} <= found.tree.get("data", {}).keys():
        raise ConfigError(
            f"{file} names no images and masks; --images and --masks are required",
            f"Run: tk import {file} --images FOLDER --masks FOLDER_OR_CSV",
        )


def _write_checked(experiment: Experiment, found: Translation, system: System, file: Path) -> tuple[int, int]:
    with written_if_sound(experiment, _text(experiment, found, system, file)):
        try:
            config = load_config(experiment.config).config
        except ConfigError as error:
            raise _not_valid(error, experiment, file) from error
        training, tests = check_data(config)
        if found.batches_per_epoch is not None:
            _set_epochs(found, found.batches_per_epoch, config, training)
        write_text(experiment.config, _text(experiment, found, system, file))
    return training, tests


def _not_valid(error: ConfigError, experiment: Experiment, file: Path) -> ConfigError:
    """The error about a translation that is not valid, without the lines of config.yaml, which is not kept."""
    _, *problems = error.message.splitlines()
    lines = re.sub(rf"{re.escape(str(experiment.config))}:\d+: ", "", "\n".join(problems))
    return ConfigError(
        f"{file} cannot be imported as it stands; its translation has problems in these keys:\n{lines}",
        f"Correct {file} and import it again. All keys and their values: docs/configuration.md",
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


def _text(experiment: Experiment, found: Translation, system: System, file: Path) -> str:
    """The text of config.yaml: what could not be translated as comments, then the keys."""
    head = comment(f"Written by tk import from {relative_path(file, experiment)}, a file of {system.name}.")
    left = [one for one in found.keys if not one.here]
    if left:
        head += ["# Not translated (docs/migrating.md):"]
        head += [line for one in left for line in comment(f"{one.key}: {one.note}", "#   ")]
    ordered = {key: found.tree[key] for key in Config.model_fields if key in found.tree}
    return HEADER + "\n".join(head) + "\n" + write_yaml(with_relative_paths(ordered, experiment.folder))
