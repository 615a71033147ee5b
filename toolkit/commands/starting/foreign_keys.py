"""The file that `tk import` reads: its keys and their lines, and errors that speak of them."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.config.migrating.foreign_files import GUIDE, about_python, about_unknown, file_of_module, missing
from toolkit.config.migrating.systems import System, system_of
from toolkit.config.migrating.translation import TranslatedKey, Translation
from toolkit.config.yaml.key_differences import written
from toolkit.config.yaml.trees import value_at
from toolkit.config.yaml.yaml_files import KeyPath, Position, nearest_position, read_document
from toolkit.errors import ConfigError, MissingFileError, listing

_PYTHON = ".py"
_PROBLEM = re.compile(r"(?:required key )?(?P<key>[\w.]+)(?:: key '(?P<inner>[^']+)' is not valid)?")


@dataclass(frozen=True)
class Foreign:
    """A configuration of another system: its file, its plain data, and the line of each key."""

    file: Path
    system: System
    tree: Mapping[str, Any]
    positions: Mapping[KeyPath, Position]

    def where(self, key: str) -> str:
        """`file:line: key` of a dotted key; without a line for a key that the file does not have."""
        position = nearest_position(self.positions, _path(key))
        return f"{position or self.file}: {key}"

    def value(self, key: str) -> Any:
        """The value of a dotted key; None if the file does not have it."""
        return value_at(self.tree, _path(key))


def read_foreign(file: Path, skip: Sequence[str]) -> Foreign:
    """Read a configuration of another system, without the dotted keys to skip.

    Raises:
        MissingFileError: there is no such file.
        ConfigError: the file is Python, or of no known system, or has no key that is to be skipped.
    """
    module = file_of_module(str(file), Path())
    if module is not None:
        raise about_python(module)
    if not file.exists():
        raise missing(file)
    document = read_document(file)
    system = system_of(document.tree)
    if system is None:
        raise about_unknown(file, document.tree)
    tree: Any = document.tree
    for key in skip:
        if _path(key) not in document.positions:
            raise ConfigError(f"--skip {key}: {file} has no such key", f"Its keys: {listing(document.tree, 30)}")
        tree = _without(tree, _path(key))
    return Foreign(file, system, tree, document.positions)


def read_class_numbers(file: Path) -> dict[str, int]:
    """The number of each class in mask files, from a JSON with all classes; 0 is left to the background.

    The file holds a list of names, names with their numbers, or keys with lists of values, which are named
    `key:value`. Without numbers, classes are numbered in order, from 1.

    Raises:
        MissingFileError: there is no such file.
        ConfigError: the file has another form.
    """
    try:
        tree = json.loads(file.read_text("utf-8"))
    except OSError as error:
        why = "there is no such file" if isinstance(error, FileNotFoundError) else error.strerror
        raise MissingFileError(f"--classes-file: cannot read {file}: {why}") from error
    except ValueError as error:
        raise ConfigError(f"--classes-file: {file} is not valid JSON: {error}") from error
    if isinstance(tree, Mapping) and tree and all(isinstance(values, list) for values in tree.values()):
        tree = [f"{key}:{value}" for key, values in tree.items() for value in values]  # as OpenStreetMap writes tags
    if isinstance(tree, Mapping) and tree and all(type(number) is int for number in tree.values()):
        numbers = dict(tree)
    elif isinstance(tree, list | Mapping) and tree and all(isinstance(name, str) for name in tree):
        numbers = {name: number for number, name in enumerate(tree, start=1)}
    else:
        raise ConfigError(
            f"--classes-file: {file}: expected a list of class names, names with their numbers, or keys with lists "
            "of values"
        )
    return {name: number for name, number in numbers.items() if number != 0}


def refuse_problems(found: Translation, foreign: Foreign) -> None:
    """Raise one error about all keys that stop the import, and about data that are not named.

    Raises:
        ConfigError: there are such keys.
    """
    file = foreign.file
    notes = {one.key: one.note for one in found.keys if not one.here}
    problems = [f"  {foreign.where(key)}: {notes[key]}" for key in found.refused]
    no_data = f"{file} names no images and masks; --images and --masks are required"
    has_data = {"images", "masks"} <= found.tree.get("data", {}).keys()
    if problems:
        can_skip = any(_path(key) in foreign.positions for key in found.refused)
        skip = ", or leave a key out with --skip KEY: the default of its counterpart is then used" if can_skip else ""
        raise ConfigError(
            "\n".join([f"{file} cannot be imported as it stands", *problems, *([] if has_data else [f"  {no_data}"])]),
            f"Correct {file} and import it again{skip}. What the keys are here: {GUIDE}",
        )
    if not has_data:
        raise ConfigError(no_data, f"Run: tk import {file} --images FOLDER --masks FOLDER_OR_CSV")


def not_valid_here(error: ConfigError, config: Path, found: Translation, foreign: Foreign) -> ConfigError:
    """The error about a translation that is not valid, in the words of the foreign file; config.yaml is not kept."""
    _, *lines = error.message.splitlines()
    texts = [re.sub(rf"^ *(?:{re.escape(str(config))}:\d+: )?", "", line) for line in lines]
    told = [f"  {_retold(text, found, foreign)}" for text in texts]
    return ConfigError(
        "\n".join([f"{foreign.file} cannot be imported as it stands", *told]),
        f"Correct {foreign.file} and import it again. All keys and their values here: docs/configuration.md",
    )


def with_name(found: Translation, name: str) -> None:
    """Write the name of the experiment where notes have NAME."""
    found.keys[:] = [
        TranslatedKey(one.key, re.sub(r"\bNAME\b", name, one.here), re.sub(r"\bNAME\b", name, one.note))
        for one in found.keys
    ]


def _retold(text: str, found: Translation, foreign: Foreign) -> str:
    """The text about one of our keys, about the foreign key that it comes from."""
    match = _PROBLEM.match(text)
    if match is None:
        return text
    parts = match["key"].split(".") + ([match["inner"]] if match["inner"] else [])
    known = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    origin = next((found.origins[key] for key in known if key in found.origins), None)
    if origin is None or foreign.value(origin) is None:
        return text
    value = written(foreign.value(origin))
    rest = text[match.end("key") :].removeprefix(": ")
    return f"{foreign.where(origin)}: {rest}{'' if value in rest else f' ({origin}: {value})'}"


def _path(key: str) -> KeyPath:
    """The path of a dotted key, as messages write it: `metrics: mine`, `lr (not given)`."""
    plain = key.partition(": ")[0].partition(" ")[0]
    return tuple(int(part) if part.isdecimal() else part for part in plain.split("."))


def _without(tree: Any, path: KeyPath) -> Any:
    """A copy of a tree without one key, which exists."""
    first, *rest = path
    if isinstance(tree, tuple):
        place = int(first)
        inner = (_without(tree[place], tuple(rest)),) if rest else ()
        return (*tree[:place], *inner, *tree[place + 1 :])
    if not rest:
        return {key: value for key, value in tree.items() if key != first}
    return {**tree, str(first): _without(tree[first], tuple(rest))}
