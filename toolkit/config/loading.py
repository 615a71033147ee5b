"""Loading a configuration: inheritance, overrides, validation, and messages with file, line and key."""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticUndefined

from toolkit.config.checks.between_keys import check_between_keys
from toolkit.config.data.competitions import is_competition_file
from toolkit.config.data.data import GIVEN_INSTEAD, DataConfig, GivenSource
from toolkit.config.keras.backbones import PUBLISHED
from toolkit.config.migrating.systems import system_of
from toolkit.config.models import Config, EnsembleConfig
from toolkit.config.training.architectures import ARCHITECTURES
from toolkit.config.training.stages import is_weight_file
from toolkit.config.yaml.error_texts import describe_problems
from toolkit.config.yaml.file_paths import absolute, refuse_impossible, seen_from
from toolkit.config.yaml.named_calls import ProblemsAtError
from toolkit.config.yaml.plugin_names import PLUGINS, code_elsewhere, names_defined_beside
from toolkit.config.yaml.trees import as_in, is_replaced, merged, replaced, value_at
from toolkit.config.yaml.yaml_files import (
    Document,
    KeyPath,
    Position,
    Replacing,
    nearest_position,
    read_document,
    read_value,
)
from toolkit.errors import ConfigError, listing_lines

OPTIONS = "architecture_options"

Model = TypeVar("Model", bound=BaseModel)

_PATH_KEYS: tuple[KeyPath, ...] = (
    ("data", "images"),
    ("data", "masks"),
    ("data", "ids"),
    ("data", "test"),
    ("data", "sample_submission"),
    ("data", "external_negatives"),
    ("extra_train_data", "images"),
    ("extra_train_data", "masks"),
    ("extra_train_data", "ids"),
    ("merge", "images"),
    ("merge", "masks"),
    ("merge", "ids"),
    ("data", "metadata"),
    ("source", "file"),
    ("test_source", "file"),
    ("BackgroundReplacer", "path"),
)
"""Last two names of the keys whose values are paths; entries of a list do not count."""


@dataclass(frozen=True)
class Loaded(Generic[Model]):
    """A configuration, with the position of each of its keys; `notes` say what was left out while files were merged."""

    config: Model
    source: Path
    positions: Mapping[KeyPath, Position]
    notes: tuple[str, ...] = ()

    def where(self, *key: str | int) -> str:
        """`file:line: key`, for a message about a key.

        A key without a line (inside a preset, or in a value of the command line) has the line of the nearest key around
        it; without such a key, the line is left out.
        """
        position = nearest_position(self.positions, key) or self.source
        return f"{position}: {'.'.join(map(str, key))}"

    @contextmanager
    def naming_places(self) -> Iterator[None]:
        """Put file and line before the message of a ConfigError that begins with a key: `data.source: …`."""
        try:
            yield
        except ConfigError as error:
            dotted, colon, text = error.message.partition(": ")
            key = _parts(dotted)
            if not colon or key not in self.positions:
                raise
            raise ConfigError(f"{self.where(*key)}: {text}", error.advice) from error


def load_config(
    path: Path,
    overrides: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    given: GivenSource | None = None,
) -> Loaded[Config]:
    """Load an experiment's config.yaml.

    Args:
        path: the file; the paths in it are relative to its folder and are returned absolute.
        overrides: texts of the form `stages.0.epochs=3`; paths in them are relative to the working folder.
        settings: earlier overrides, see `settings_of`, which `overrides` replace.
        given: stands in for the images and masks of the file.

    Raises:
        ConfigError: the configuration is invalid; lists all problems with file, line and key.
        MissingFileError: the file, or one that it extends, does not exist.
    """
    earlier = [(f"--set {key} of the last tk fit", _parts(key), value) for key, value in (settings or {}).items()]
    document = _anchored(_with_values(_with_parents(path, ()), earlier), path.parent)
    document = _anchored(_with_overrides(document, overrides), Path.cwd())
    document = document if given is None else _with_given(document, given)
    return _validate(Config, document, path, names_defined_beside(path))


def load_ensemble(path: Path) -> Loaded[EnsembleConfig]:
    """Load an ensemble's config.yaml; raises as `load_config` does."""
    return _validate(EnsembleConfig, _with_parents(path, ()), path, names_defined_beside_members(path))


def names_defined_beside_members(path: Path, seen: tuple[Path, ...] = ()) -> frozenset[str]:
    """The names that the plugins.py of all members of an ensemble define; the metric may be one of them."""
    names: frozenset[str] = names_defined_beside(path)
    if path in seen or not path.is_file():
        return names
    with suppress(ConfigError):  # an invalid member is reported where it is used
        members = read_tree(path).get("members", ())
        for member in members if isinstance(members, tuple) else ():
            folder = str(member).partition(":")[0]  # after the colon: a part of the experiment
            names |= names_defined_beside_members(path.parent.parent / folder / path.name, (*seen, path))
    return names


def is_ensemble(path: Path) -> bool:
    """Whether the file describes an ensemble, which has members."""
    return "members" in _with_parents(path, ()).tree


def config_from_plain(tree: Mapping[str, Any], folder: Path) -> Config:
    """The inverse of `plain_config`: paths in the tree are relative to `folder`."""
    file = folder / PLUGINS
    context = {"plugins": names_defined_beside(file), "plugins_file": absolute(file)}
    return Config.model_validate(with_absolute_paths(tree, folder), context=context)


def plain_config(config: BaseModel, relative_to: Path) -> dict[str, Any]:
    """The configuration as plain data for YAML or JSON, with paths relative to a folder."""
    return with_relative_paths(config.model_dump(), relative_to)


def with_defaults(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Plain data of an experiment, with defaults for the keys that the version that wrote it did not have."""
    return _defaults(Config) | dict(tree) | {"data": _defaults(DataConfig) | dict(tree["data"])}


def _defaults(model: type[BaseModel]) -> dict[str, Any]:
    """The defaults that do not depend on other keys."""
    fixed = {key: field.default for key, field in model.model_fields.items() if field.default_factory is None}
    return {key: default for key, default in fixed.items() if default is not PydanticUndefined}


def with_relative_paths(tree: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Plain data with every path relative to a folder."""
    for key, value in paths_in(tree):
        tree = replaced(tree, key, Path(os.path.relpath(value, folder)).as_posix(), "")
    return tree


def with_absolute_paths(tree: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Plain data whose paths are relative to a folder, with every path absolute."""
    return _anchored(Document(dict(tree), {}), folder).tree


def _with_parents(path: Path, children: tuple[Path, ...]) -> Document:
    document = _anchored(read_document(path), path.parent)
    if "extends" not in document.tree:
        return document
    position = document.positions["extends",]
    extends = document.tree.pop("extends")
    if not isinstance(extends, str):
        raise ConfigError(f"{position}: extends: expected the path of a file, received {extends!r}")
    refuse_impossible(extends, f"{position}: extends")
    parent = seen_from(path.parent, extends)
    chain = (*children, absolute(path))
    if parent in chain:
        raise ConfigError(f"{position}: extends: these files extend each other: {' → '.join(map(str, chain))}")
    if not parent.is_file():
        raise ConfigError(f"{position}: extends: there is no file {parent}")
    inherited = _inherited(parent, chain, f"{position}: extends")
    tree, notes = inherited.tree, inherited.notes
    if "architecture" in document.tree:
        where = f"{document.positions['architecture',]}: architecture"
        tree, left_out = _for_architecture(tree, document.tree["architecture"], where)
        notes += left_out
    kept = {key: line for key, line in inherited.positions.items() if not is_replaced(key, document.tree)}
    return Document(merged(tree, document.tree), {**kept, **document.positions}, notes)


def _inherited(parent: Path, chain: tuple[Path, ...], where: str) -> Document:
    """The document that another one extends; of a file that is no configuration, messages quote nothing."""
    problem = f"{where}: {parent} is no configuration of this toolkit"
    try:
        inherited = _with_parents(parent, chain)
    except ConfigError as error:
        if parent.suffix in _SUFFIXES:
            raise
        raise ConfigError(problem) from error
    known = any(key in Config.model_fields for key in inherited.tree) or "members" in inherited.tree
    if inherited.tree and not known and system_of(inherited.tree) is None:
        raise ConfigError(f"{problem}: it has none of its keys", "All keys: docs/configuration.md")
    return inherited


_SUFFIXES = (".yaml", ".yml", ".json")


def _for_architecture(tree: dict[str, Any], name: Any, where: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Leave out inherited options that another architecture does not have, with a line that says so.

    The options of an architecture from plugins are known only to its code: there, all inherited options stay.
    """
    options = tree.get(OPTIONS)
    if not isinstance(name, str):
        return tree, ()
    if name == tree.get("architecture", Config.model_fields["architecture"].default) or not isinstance(options, dict):
        return tree, ()
    known = ARCHITECTURES[name].model_fields if name in ARCHITECTURES else options
    unknown = [option for option in options if option not in known]
    if not unknown:
        return tree, ()
    kept = {option: value for option, value in options.items() if option in known}
    return tree | {OPTIONS: kept}, (f"{where}: {name} does not have the inherited {OPTIONS} {', '.join(unknown)}",)


def read_tree(path: Path) -> dict[str, Any]:
    """The plain data of a file, merged with the files that it extends; not validated."""
    return _with_parents(path, ()).tree


def with_settings(tree: Mapping[str, Any], settings: Mapping[str, Any], file: Path) -> dict[str, Any]:
    """The plain data that a file needs for its configuration to have the values of settings.

    What a file extends is merged key by key, but lists are replaced as a whole: an inherited list of which one entry is
    set is copied, and a mapping that is set in the place of an inherited one is marked as replacing.

    Args:
        tree: the plain data of the file alone.
        settings: see `settings_of`; paths are relative to the folder of the file.
        file: as it is on disk, for what it inherits.
    """
    changed, inherited = dict(tree), with_relative_paths(read_tree(file), file.parent)
    for name, value in settings.items():
        key, source = _parts(name), f"--set {name}"
        for length in (place for place, part in enumerate(key) if isinstance(part, int)):
            known = value_at(inherited, key[:length])
            if isinstance(known, tuple) and not isinstance(value_at(changed, key[:length]), tuple):
                changed = replaced(changed, key[:length], known, source)
        replaces = isinstance(value, dict) and isinstance(value_at(inherited, key), dict)
        changed = replaced(changed, key, Replacing(value) if replaces else value, source)
    return changed


def settings_of(overrides: Sequence[str], folder: Path) -> dict[str, Any]:
    """Overrides as plain data: the value of each dotted key, with paths relative to a folder."""
    found: dict[str, Any] = {}
    for override in overrides:
        key = override_key(override)
        value = read_value(override.partition("=")[2], f"--set {override}")
        for at, path in paths_in(value, key):
            seen = os.path.relpath(seen_from(Path.cwd(), path), folder)
            value = replaced(value, at[len(key) :], Path(seen).as_posix(), "")
        name = ".".join(map(str, key))
        found.pop(name, None)  # the order counts
        found[name] = value
    return found


def _with_overrides(document: Document, overrides: Sequence[str]) -> Document:
    values = []
    for override in overrides:
        source = f"--set {override}"
        values.append((source, override_key(override), read_value(override.partition("=")[2], source)))
    return _with_values(document, values)


def _with_given(document: Document, given: GivenSource) -> Document:
    """The document with a dataset in the place of the files of images and masks."""
    data = document.tree.get("data") or {}
    if not isinstance(data, dict):  # reported when it is validated
        return document
    kept = {key: value for key, value in data.items() if key not in GIVEN_INSTEAD}
    return Document(document.tree | {"data": kept | {"source": given}}, document.positions, document.notes)


def _with_values(document: Document, values: Sequence[tuple[str, KeyPath, Any]]) -> Document:
    """The document with values set one after the other; each has a source for messages and a key path."""
    tree: Any = document.tree
    positions, notes = dict(document.positions), document.notes
    for source, given, value in values:
        if given == ("extends",):
            raise ConfigError(f"{source}: extends cannot be overridden; write extends: FILE in the configuration")
        if given == ("architecture",):
            tree, left_out = _for_architecture(tree, value, source)
            notes += left_out
        tree = replaced(tree, given, value, source)
        key = as_in(tree, given)
        positions = {known: position for known, position in positions.items() if known[: len(key)] != key}
        positions[key] = Position(source, 0)
        for length in range(1, len(key)):  # mappings that this override created
            positions.setdefault(key[:length], positions[key])
    return Document(tree, positions, notes)


def override_key(override: str) -> KeyPath:
    """The key path of an override (`stages.0.epochs=3`); numbers are entries of a list.

    Raises:
        ConfigError: the text is not KEY=VALUE.
    """
    dotted, equals, _ = override.partition("=")
    if not equals or not dotted.strip():
        raise ConfigError(f"--set {override}: expected KEY=VALUE, for example --set stages.0.epochs=3")
    return _parts(dotted.strip())


def _parts(dotted: str) -> KeyPath:
    return tuple(int(part) if part.isdecimal() and len(part) < 10 else part for part in dotted.split("."))


def _anchored(document: Document, folder: Path) -> Document:
    """Make relative paths absolute, from the folder of the file that contains them."""
    tree = document.tree
    for key, value in paths_in(tree):
        refuse_impossible(value, f"{nearest_position(document.positions, key) or folder}: {'.'.join(map(str, key))}")
        tree = replaced(tree, key, str(seen_from(folder, value)), "")
    return Document(tree, document.positions, document.notes)


def paths_in(tree: Any, key: KeyPath = ()) -> list[tuple[KeyPath, str]]:
    """Every path of a file or folder in plain data, with its key."""
    if isinstance(tree, dict):
        return [found for part, value in tree.items() for found in paths_in(value, (*key, part))]
    if isinstance(tree, tuple):
        return [found for part, value in enumerate(tree) for found in paths_in(value, (*key, part))]
    return [(key, tree)] if isinstance(tree, str) and _is_path(key, tree) else []


def _is_path(key: KeyPath, value: str) -> bool:
    """Whether the value of a key is the path of a file or folder; some keys also accept other words."""
    if key == ("folds",):
        return True
    if key == ("encoder_weights",):
        return value not in PUBLISHED
    if key in (("data", "competition"), ("data", "competition", "extends")):
        return is_competition_file(value)
    if key[:1] == ("stages",) and key[2:] == ("initial_weights",):
        return is_weight_file(value)
    return tuple(part for part in key if isinstance(part, str))[-2:] in _PATH_KEYS


def _validate(
    model: type[Model], document: Document, path: Path, plugins: Collection[str] = frozenset()
) -> Loaded[Model]:
    try:
        context = {"plugins": plugins, "plugins_file": absolute(path.with_name(PLUGINS))}
        config = model.model_validate(document.tree, context=context)
        if isinstance(config, Config):
            check_between_keys(config, plugins)
    except (ValidationError, ProblemsAtError) as error:
        raise _invalid(describe_problems(error, model, document, str(path)), document, path) from error
    return Loaded(config, path, document.positions, document.notes)


def _invalid(problems: Sequence[str], document: Document, path: Path) -> ConfigError:
    """The error about an invalid configuration; one of another system has other keys, which are not listed in full."""
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    lines = "\n".join(f"  {problem}" for problem in problems)
    message, advice = (
        f"{count} in the configuration {path}\n{lines}",
        "All keys and their values: docs/configuration.md",
    )
    others = sorted({Path(position.source) for position in document.positions.values() if position.line} - {path})
    advice = "\n".join(filter(None, (code_elsewhere(path, others, message), advice)))
    system = system_of(document.tree)
    if system is None:
        return ConfigError(message, advice)
    unknown = {key: document.positions[key,] for key in document.tree if key not in Config.model_fields}
    source = next((position.source for position in unknown.values()), path)  # perhaps a file that this one extends
    command = f"tk import {source} --name NAME --images FOLDER --masks FOLDER_OR_CSV"
    if system.similar:
        return ConfigError(message, f"{advice}\nIf this is a configuration of {system.name}: {command}")
    return ConfigError(
        f"{source} is a configuration of {system.name}, which has other keys than this toolkit:\n"
        f"{listing_lines((f'{position}: {key}' for key, position in unknown.items()), 5)}",
        f"To translate it: {command}",
    )
