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
from toolkit.config.data.data import DataConfig
from toolkit.config.models import ENCODER_WEIGHTS, Config, EnsembleConfig
from toolkit.config.training.stages import is_weight_file
from toolkit.config.yaml.error_texts import describe_problems
from toolkit.config.yaml.named_calls import ProblemsAtError
from toolkit.config.yaml.plugin_names import PLUGINS, names_defined_beside
from toolkit.config.yaml.yaml_files import Document, KeyPath, Position, nearest_position, read_document, read_value
from toolkit.errors import ConfigError

Model = TypeVar("Model", bound=BaseModel)

_PATH_KEYS: tuple[KeyPath, ...] = (
    ("data", "images"),
    ("data", "masks"),
    ("data", "test"),
    ("data", "sample_submission"),
    ("data", "external_negatives"),
    ("extra_train_data", "images"),
    ("extra_train_data", "masks"),
    ("merge", "images"),
    ("merge", "masks"),
    ("data", "metadata"),
    ("source", "file"),
    ("test_source", "file"),
    ("BackgroundReplacer", "path"),
)
"""Last two names of the keys whose values are paths; entries of a list do not count."""


@dataclass(frozen=True)
class Loaded(Generic[Model]):
    """A configuration, with the position of each of its keys."""

    config: Model
    source: Path
    positions: Mapping[KeyPath, Position]

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
            key = tuple(int(part) if part.isdecimal() else part for part in dotted.split("."))
            if not colon or key not in self.positions:
                raise
            raise ConfigError(f"{self.where(*key)}: {text}", error.advice) from error


def load_config(path: Path, overrides: Sequence[str] = ()) -> Loaded[Config]:
    """Load an experiment's config.yaml.

    Args:
        path: the file; the paths in it are relative to its folder and are returned absolute.
        overrides: texts of the form `stages.0.epochs=3`; paths in them are relative to the working folder.

    Raises:
        ConfigError: the configuration is invalid; lists all problems with file, line and key.
        MissingFileError: the file, or one that it extends, does not exist.
    """
    document = _with_overrides(_with_parents(path, ()), overrides)
    return _validate(Config, _anchored(document, Path.cwd()), path, names_defined_beside(path))


def load_ensemble(path: Path) -> Loaded[EnsembleConfig]:
    """Load an ensemble's config.yaml; raises as `load_config` does."""
    return _validate(EnsembleConfig, _with_parents(path, ()), path, names_defined_beside_members(path))


def names_defined_beside_members(path: Path, seen: tuple[Path, ...] = ()) -> frozenset[str]:
    """The names that the plugins.py of all members of an ensemble define; the metric may be one of them."""
    names = names_defined_beside(path)
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
    context = {"plugins": names_defined_beside(file), "plugins_file": _absolute(file)}
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
    for key, value in _paths_in(tree):
        tree = _replaced(tree, key, Path(os.path.relpath(value, folder)).as_posix(), "")
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
    parent = _seen_from(path.parent, extends)
    chain = (*children, _absolute(path))
    if parent in chain:
        raise ConfigError(f"{position}: extends: these files extend each other: {' → '.join(map(str, chain))}")
    if not parent.is_file():
        raise ConfigError(f"{position}: extends: there is no file {parent}")
    inherited = _with_parents(parent, chain)
    kept = {key: line for key, line in inherited.positions.items() if not _is_replaced(key, document.tree)}
    return Document(_merged(inherited.tree, document.tree), {**kept, **document.positions})


def _merged(parent: Mapping[str, Any], child: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of the child take precedence: mappings are merged key by key, everything else is replaced."""
    merged = dict(parent)
    for key, value in child.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


def _is_replaced(key: KeyPath, child: Any) -> bool:
    """Whether a key of the parent is inside a value that the child replaces as a whole."""
    for part in key[:-1]:
        child = child.get(part, {})
        if not isinstance(child, dict):
            return True
    return False


def read_tree(path: Path) -> dict[str, Any]:
    """The plain data of a file, merged with the files that it extends; not validated."""
    return _with_parents(path, ()).tree


def apply_overrides(tree: Mapping[str, Any], overrides: Sequence[str], folder: Path) -> dict[str, Any]:
    """Plain data with overrides (`stages.0.epochs=3`); paths are relative to `folder`."""
    changed = _with_overrides(Document(dict(tree), {}), overrides).tree
    # A path on the command line is relative to the working folder, in the file to the folder of the file.
    keys = [override_key(override) for override in overrides]
    for key, value in _paths_in(changed):
        if any(key[: len(overridden)] == overridden for overridden in keys):
            seen = os.path.relpath(_seen_from(Path.cwd(), value), folder)
            changed = _replaced(changed, key, Path(seen).as_posix(), "")
    return changed


def _with_overrides(document: Document, overrides: Sequence[str]) -> Document:
    tree: Any = document.tree
    positions = dict(document.positions)
    for override in overrides:
        source = f"--set {override}"
        key = override_key(override)
        if key == ("extends",):
            raise ConfigError(f"{source}: extends cannot be overridden; write extends: FILE in the configuration")
        tree = _replaced(tree, key, read_value(override.partition("=")[2], source), source)
        key = _as_in(tree, key)
        positions = {known: position for known, position in positions.items() if known[: len(key)] != key}
        positions[key] = Position(source, 0)
        for length in range(1, len(key)):  # mappings that this override created
            positions.setdefault(key[:length], positions[key])
    return Document(tree, positions)


def override_key(override: str) -> KeyPath:
    """The key path of an override (`stages.0.epochs=3`); numbers are entries of a list.

    Raises:
        ConfigError: the text is not KEY=VALUE.
    """
    dotted, equals, _ = override.partition("=")
    if not equals or not dotted.strip():
        raise ConfigError(f"--set {override}: expected KEY=VALUE, for example --set stages.0.epochs=3")
    return tuple(int(part) if part.isdecimal() else part for part in dotted.strip().split("."))


def _as_in(tree: Any, key: KeyPath) -> KeyPath:
    """A key path as in the tree: numbers are entries of lists, but names in mappings."""
    found: KeyPath = ()
    for part in key:
        part_here = part if isinstance(tree, tuple) else str(part)
        found, tree = (*found, part_here), tree[part_here]
    return found


def _replaced(tree: Any, key: KeyPath, value: Any, source: str) -> Any:
    """A copy of the tree with one value set; missing mappings are created, list entries must exist."""
    if not key:
        return value
    if tree is not None and not isinstance(tree, dict | tuple):
        raise ConfigError(f"{source}: cannot set {key[0]!r} in {tree!r}, which is a single value")
    head, rest = key[0], key[1:]
    if isinstance(tree, tuple):
        if not isinstance(head, int) or head >= len(tree):
            entries = f"has entries 0 to {len(tree) - 1}" if tree else "is empty"
            raise ConfigError(f"{source}: {head!r} is not an entry of this list, which {entries}")
        return (*tree[:head], _replaced(tree[head], rest, value, source), *tree[head + 1 :])
    branch = dict(tree) if isinstance(tree, dict) else {}
    branch[str(head)] = _replaced(branch.get(str(head)), rest, value, source)
    return branch


def _anchored(document: Document, folder: Path) -> Document:
    """Make relative paths absolute, from the folder of the file that contains them."""
    tree = document.tree
    for key, value in _paths_in(tree):
        tree = _replaced(tree, key, str(_seen_from(folder, value)), "")
    return Document(tree, document.positions)


def _paths_in(tree: Any, key: KeyPath = ()) -> list[tuple[KeyPath, str]]:
    """Every path of a file or folder in plain data, with its key."""
    if isinstance(tree, dict):
        return [found for part, value in tree.items() for found in _paths_in(value, (*key, part))]
    if isinstance(tree, tuple):
        return [found for part, value in enumerate(tree) for found in _paths_in(value, (*key, part))]
    return [(key, tree)] if isinstance(tree, str) and _is_path(key, tree) else []


def _is_path(key: KeyPath, value: str) -> bool:
    """Whether the value of a key is the path of a file or folder; some keys also accept other words."""
    if key == ("folds",):
        return True
    if key == ("encoder_weights",):
        return value not in ENCODER_WEIGHTS
    if key in (("data", "competition"), ("data", "competition", "extends")):
        return is_competition_file(value)
    if key[:1] == ("stages",) and key[2:] == ("initial_weights",):
        return is_weight_file(value)
    return tuple(part for part in key if isinstance(part, str))[-2:] in _PATH_KEYS


def _seen_from(folder: Path, text: str) -> Path:
    """The absolute path of `text` in a file of the folder; `~` is the home of the user."""
    try:
        path = Path(text).expanduser()
    except RuntimeError:  # there is no such user: a folder may have this name
        path = Path(text)
    return _absolute(folder / path)


def _absolute(path: Path) -> Path:
    """Links are not followed: data folders are often links, and messages should show what the user wrote."""
    return Path(os.path.abspath(path))  # noqa: PTH100 # Path.resolve would follow them


def _validate(
    model: type[Model], document: Document, path: Path, plugins: Collection[str] = frozenset()
) -> Loaded[Model]:
    try:
        context = {"plugins": plugins, "plugins_file": _absolute(path.with_name(PLUGINS))}
        config = model.model_validate(document.tree, context=context)
        if isinstance(config, Config):
            check_between_keys(config, sorted(plugins))
    except (ValidationError, ProblemsAtError) as error:
        problems = describe_problems(error, model, document, str(path))
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        lines = "\n".join(f"  {problem}" for problem in problems)
        raise ConfigError(
            f"{count} in the configuration {path}\n{lines}", "All keys and their values: docs/configuration.md"
        ) from error
    return Loaded(config, path, document.positions)
