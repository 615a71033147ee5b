"""What becomes of each key of another system's configuration, and the rules that say so."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolkit.config.yaml.key_differences import written
from toolkit.errors import nearest

EPOCHS = "stages.0.epochs"

Rule = Callable[["Translation", str, Any], None]
"""Translates one key: called with the translation so far, the dotted key of the foreign file, and its value."""


class NoCounterpartError(ValueError):
    """A value that cannot be translated; the text says why."""


@dataclass(frozen=True)
class TranslatedKey:
    """A key of the foreign file and what it is here; `here` is empty if it could not be translated.

    `note` says what is different, or why there is no counterpart.
    """

    key: str
    here: str
    note: str = ""


@dataclass
class Translation:
    """The configuration that a foreign one becomes, key by key.

    Attributes:
        source: the foreign configuration as plain data.
        folder: of the foreign file, which its relative paths begin at.
        tree: the configuration so far; its paths are absolute.
        keys: what each foreign key became.
        label: begins the names of keys here, if `tree` is a part of the configuration.
        batches_per_epoch: length of an epoch, if the foreign system does not show every image once.
    """

    source: Mapping[str, Any]
    folder: Path
    tree: dict[str, Any] = field(default_factory=dict)
    keys: list[TranslatedKey] = field(default_factory=list)
    label: str = ""
    batches_per_epoch: int | None = None

    def put(self, key: str, ours: str, value: Any, note: str = "") -> None:
        """Set the value of one of our keys, which is dotted."""
        *around, last = ours.split(".")
        place = self.tree
        for part in around:
            place = place.setdefault(part, {})
        place[last] = value
        self.keys.append(TranslatedKey(key, f"{self.label}{ours}: {written(value)}", note))

    def say(self, key: str, here: str, note: str = "") -> None:
        """Record that a key needs no key here: a command takes its place, or it is always so."""
        self.keys.append(TranslatedKey(key, here, note))

    def lose(self, key: str, why: str) -> None:
        """Record that a key could not be translated."""
        self.keys.append(TranslatedKey(key, "", why))

    def part(self, tree: dict[str, Any], label: str) -> "Translation":
        """The translation of a part of the configuration; what became of its keys is recorded here."""
        return Translation(self.source, self.folder, tree, self.keys, f"{self.label}{label}")

    def path(self, value: Any) -> str:
        """The absolute path that a value of the foreign file names."""
        return str((self.folder / text(value)).absolute())


def apply_rules(found: Translation, rules: Mapping[str, Rule], tree: Mapping[str, Any], prefix: str = "") -> None:
    """Translate each key of a mapping by the rule of its name."""
    for name, value in tree.items():
        key = f"{prefix}{name}"
        if name not in rules:
            near = nearest(name, rules)
            found.lose(key, f"unknown key{f'; did you mean {near!r}?' if near else ''}")
            continue
        try:
            rules[name](found, key, value)
        except NoCounterpartError as error:
            found.lose(key, str(error))


def same(value: Any) -> Any:
    """The value itself."""
    return value


def to(ours: str, convert: Callable[[Any], Any] = same, note: str = "") -> Rule:
    """A rule: the key has another name here, and its value is converted."""

    def rule(found: Translation, key: str, value: Any) -> None:
        found.put(key, ours, convert(value), note)

    return rule


def always(note: str) -> Rule:
    """A rule: nothing needs to be written here."""

    def rule(found: Translation, key: str, _: Any) -> None:
        found.say(key, "(nothing to write)", note)

    return rule


def lost(why: str) -> Rule:
    """A rule: there is no counterpart."""

    def rule(found: Translation, key: str, _: Any) -> None:
        found.lose(key, why)

    return rule


def one_stage(found: Translation, key: str, value: Any) -> None:
    """The rule of a number of epochs where training has no stages."""
    found.tree["stages"] = ({"epochs": value},)
    found.say(key, f"{EPOCHS}: {value}")


def section(rules: Mapping[str, Rule]) -> Rule:
    """A rule for a mapping with keys of its own."""

    def rule(found: Translation, key: str, value: Any) -> None:
        apply_rules(found, rules, pairs(value), f"{key}.")

    return rule


def choice(words: Mapping[str, Any], what: str, default: str = "") -> Callable[[Any], Any]:
    """Convert a word by a table that ignores case; `default` is used here instead of an unknown word."""
    by_lower = {word.lower(): ours for word, ours in words.items()}

    def convert(value: Any) -> Any:
        try:
            return by_lower[text(value).lower()]
        except KeyError:
            near = nearest(str(value), words)
            guess = f"; the nearest is {near!r}" if near else ""
            instead = f"; {default}, the default, is used" if default else ""
            raise NoCounterpartError(f"there is no {what} {value!r} here{guess}{instead}") from None

    return convert


def pairs(value: Any) -> Mapping[str, Any]:
    """A mapping; null is an empty one."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise NoCounterpartError(f"expected `key: value` pairs, received {written(value)}")
    return value


def text(value: Any) -> str:
    """A value that is text."""
    if not isinstance(value, str):
        raise NoCounterpartError(f"expected text, received {written(value)}")
    return value


def truth(value: Any) -> bool:
    """A value that is true or false."""
    if not isinstance(value, bool):
        raise NoCounterpartError(f"expected true or false, received {written(value)}")
    return value


def number(value: Any) -> float:
    """A value that is a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NoCounterpartError(f"expected a number, received {written(value)}")
    return value


def whole(value: Any) -> int:
    """A value that is a whole number above 0."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise NoCounterpartError(f"expected a whole number above 0, received {written(value)}")
    return value
