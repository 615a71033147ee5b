"""The file that `tk import` reads: its keys and their lines, and errors that speak of them."""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any

from toolkit.config.data.classes import is_background
from toolkit.config.migrating.foreign_files import GUIDE, about_python, about_unknown, file_of_module, missing
from toolkit.config.migrating.systems import System, system_of
from toolkit.config.migrating.translation import TranslatedKey, Translation
from toolkit.config.yaml.file_paths import regular
from toolkit.config.yaml.key_differences import written
from toolkit.config.yaml.trees import value_at
from toolkit.config.yaml.yaml_files import KeyPath, Position, nearest_position, read_document
from toolkit.errors import ConfigError, MissingFileError, listing

_PYTHON = ".py"
_REQUIRED = ("stages", "epochs", "hyperparameters.epochs")
"""Keys of foreign files that have no default: to skip one stops the import."""

_PROBLEM = re.compile(r"(?:required key )?(?P<key>[\w.]+)(?:: key '(?P<inner>[^']+)' is not valid)?")


@dataclass(frozen=True)
class Foreign:
    """A configuration of another system: its file, its plain data, and the line of each key.

    `tree` is without the keys in `skipped`; `positions` and `skipped` count the entries of lists as the file does.
    """

    file: Path
    system: System
    tree: Mapping[str, Any]
    positions: Mapping[KeyPath, Position]
    skipped: tuple[KeyPath, ...] = ()

    def where(self, key: str) -> str:
        """`file:line: key` of a dotted key of the tree; without a line for a key that the file does not have."""
        named = self.named(key)
        return f"{nearest_position(self.positions, _path(named)) or self.file}: {named}"

    def named(self, key: str) -> str:
        """A dotted key of the tree as the file has it, where the numbers of list entries also count skipped ones."""
        plain = _plain(key)
        at: KeyPath = ()
        for part in _path(key) if self.skipped else ():
            kept = (index for index in count() if (*at, index) not in self.skipped)
            at = (*at, next(islice(kept, part, None)) if isinstance(part, int) else part)
        return ".".join(map(str, at)) + key.removeprefix(plain) if at else key

    def can_skip(self, key: str) -> bool:
        """Whether the tree has a dotted key, and the import can go on without it."""
        path = _path(self.named(key))
        is_skipped = any(path[:length] in self.skipped for length in range(1, len(path) + 1))
        return path in self.positions and not is_skipped and key not in _REQUIRED

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
    for key in skip:
        if _path(key) not in document.positions:
            raise ConfigError(f"--skip {key}: {file} has no such key", f"Its keys: {listing(document.tree, 30)}")
    given = dict.fromkeys(map(_path, skip))
    skipped = tuple(path for path in given if not any(path[:length] in given for length in range(1, len(path))))
    return Foreign(file, system, _without(document.tree, skipped), document.positions, skipped)


def read_class_numbers(file: Path) -> dict[str, int]:
    """The number of each class in mask files, from a JSON with all classes; 0 is left to the background.

    The file holds a list of names, names with their numbers, or keys with lists of values, which are named
    `key:value`. Without numbers, classes are numbered in order: from 0 if the first is the background, else from 1.

    Raises:
        MissingFileError: there is no such file.
        ConfigError: the file has another form, or no class but the background.
    """
    try:
        tree = json.loads(regular(file).read_text("utf-8"))
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
        names = list(tree)
        numbers = {name: number for number, name in enumerate(names, start=0 if is_background(names[0]) else 1)}
    else:
        raise ConfigError(
            f"--classes-file: {file}: expected a list of class names, names with their numbers, or keys with lists "
            "of values"
        )
    classes = {name: number for name, number in numbers.items() if number != 0}
    if not classes:
        raise ConfigError(
            f"--classes-file: {file} has no class but {listing(numbers)}, whose number is 0: that of the background",
            "Add the classes, with their numbers in mask files.",
        )
    return classes


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
        can_skip = any(map(foreign.can_skip, found.refused))
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


def with_names(found: Translation, name: str, foreign: Foreign) -> None:
    """Name keys as the foreign file does, and write the name of the experiment where notes have NAME."""
    found.keys[:] = [
        TranslatedKey(foreign.named(one.key), re.sub(r"\bNAME\b", name, one.here), re.sub(r"\bNAME\b", name, one.note))
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


def _plain(key: str) -> str:
    """A dotted key without what messages add to it: `metrics: mine`, `lr (not given)`."""
    return key.partition(": ")[0].partition(" ")[0]


def _path(key: str) -> KeyPath:
    """The path of a dotted key, as messages write it."""
    return tuple(int(part) if part.isdecimal() else part for part in _plain(key).split("."))


def _without(tree: Any, skipped: Collection[KeyPath], at: KeyPath = ()) -> Any:
    """A copy of a tree without some keys and list entries."""
    if isinstance(tree, tuple):
        entries = [(entry, (*at, index)) for index, entry in enumerate(tree)]
        return tuple(_without(entry, skipped, path) for entry, path in entries if path not in skipped)
    if isinstance(tree, dict):
        return {key: _without(value, skipped, (*at, key)) for key, value in tree.items() if (*at, key) not in skipped}
    return tree
