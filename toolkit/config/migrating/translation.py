"""What becomes of each key of another system's configuration, and the rules that say so."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from toolkit.config.yaml.error_texts import received
from toolkit.config.yaml.key_differences import written
from toolkit.errors import misspelt, nearest

EPOCHS = "stages.0.epochs"
_LISTED = 12

Rule = Callable[["Translation", str, Any], None]
"""Translates one key: called with the translation so far, the dotted key of the foreign file, and its value."""


class NoCounterpartError(ValueError):
    """A value that has no counterpart here; the text says why. It is left out, and listed as not translated."""


class WrongValueError(NoCounterpartError):
    """A value that says nothing: a word that is not known, or a value of another kind. It stops the import."""


UNKNOWN = NoCounterpartError("unknown key")


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
        numbers: the number of each class in mask files, from the file with all classes, if there is one.
        refused: the foreign keys that stop the import; `keys` says why.
        origins: the foreign key that each of our dotted keys comes from.
        warnings: what the user has to check.
    """

    source: Mapping[str, Any]
    folder: Path
    tree: dict[str, Any] = field(default_factory=dict)
    keys: list[TranslatedKey] = field(default_factory=list)
    label: str = ""
    batches_per_epoch: int | None = None
    numbers: Mapping[str, int] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    origins: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def put(self, key: str, ours: str, value: Any, note: str = "") -> None:
        """Set the value of one of our keys, which is dotted."""
        *around, last = ours.split(".")
        place = self.tree
        for part in around:
            place = place.setdefault(part, {})
        place[last] = value
        self.origins[f"{self.label}{ours}"] = key
        self.keys.append(TranslatedKey(key, f"{self.label}{ours}: {written(value)}", note))

    def say(self, key: str, here: str, note: str = "") -> None:
        """Record that a key needs no key here: a command takes its place, or it is always so."""
        self.keys.append(TranslatedKey(key, here, note))

    def lose(self, key: str, why: str) -> None:
        """Record that a key could not be translated."""
        self.keys.append(TranslatedKey(key, "", why))

    def refuse(self, key: str, why: str) -> None:
        """Record that the import cannot go on with this key."""
        self.lose(key, why)
        self.refused.append(key)

    def has_refused(self, name: str) -> bool:
        """Whether a key of this name, or one that looks like a misspelling of it, stops the import."""
        return any(misspelt(key.rpartition(".")[2], [name]) for key in self.refused)

    def fail(self, key: str, error: NoCounterpartError) -> None:
        """Record why a key could not be translated, and whether this stops the import."""
        (self.refuse if isinstance(error, WrongValueError) else self.lose)(key, str(error))

    def part(self, tree: dict[str, Any], label: str) -> "Translation":
        """The translation of a part of the configuration; what became of its keys is recorded here."""
        return replace(self, tree=tree, label=f"{self.label}{label}")

    def path(self, value: Any) -> str:
        """The absolute path that a value of the foreign file names."""
        return str((self.folder / text(value)).absolute())


def apply_rules(
    found: Translation,
    rules: Mapping[str, Rule],
    tree: Mapping[str, Any],
    prefix: str = "",
    further: Collection[str] = (),
) -> None:
    """Translate each key of a mapping by the rule of its name; `further` are names that have no rule here.

    A name that looks misspelt stops the import: its value would be lost, and a default used in its place.
    """
    for name, value in tree.items():
        key = f"{prefix}{name}"
        if name not in rules:
            near = misspelt(name, [*rules, *further])
            found.fail(key, WrongValueError(f"unknown key; did you mean {near!r}?") if near else UNKNOWN)
            continue
        try:
            rules[name](found, key, value)
        except NoCounterpartError as error:
            found.fail(key, error)


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


def refused(why: str) -> Rule:
    """A rule: the import cannot go on with this key."""

    def rule(found: Translation, key: str, _: Any) -> None:
        found.refuse(key, why)

    return rule


def one_stage(found: Translation, key: str, value: Any) -> None:
    """The rule of a number of epochs where training has no stages."""
    found.tree["stages"] = ({"epochs": value},)
    found.origins[EPOCHS] = key
    found.say(key, f"{EPOCHS}: {value}")


def section(rules: Mapping[str, Rule]) -> Rule:
    """A rule for a mapping with keys of its own."""

    def rule(found: Translation, key: str, value: Any) -> None:
        apply_rules(found, rules, pairs(value), f"{key}.")

    return rule


def choice(
    words: Mapping[str, Any], what: str, instead: Mapping[str, str] = MappingProxyType({})
) -> Callable[[Any], Any]:
    """Convert a word by a table that ignores case.

    Args:
        words: what each foreign word is here.
        what: the kind of thing, for messages.
        instead: what to write for words that have no exact counterpart, in lower case.
    """
    by_lower = {word.lower(): ours for word, ours in words.items()}

    def convert(value: Any) -> Any:
        word = text(value).lower()
        if word in by_lower:
            return by_lower[word]
        near = nearest(word, words)
        guess = instead.get(word) or (f"did you mean {near!r}?" if near else "")
        few = "" if guess and len(words) > _LISTED else f"choose from {', '.join(words)}"
        raise WrongValueError("; ".join(filter(None, (f"there is no {what} {value!r} here", guess, few))))

    return convert


def pairs(value: Any) -> Mapping[str, Any]:
    """A mapping; null is an empty one."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise WrongValueError(f"expected `key: value` pairs, received {received(value)}")
    return value


def text(value: Any) -> str:
    """A value that is text."""
    if not isinstance(value, str):
        raise WrongValueError(f"expected text, received {received(value)}")
    return value


def truth(value: Any) -> bool:
    """A value that is true or false."""
    if not isinstance(value, bool):
        raise WrongValueError(f"expected true or false, received {received(value)}")
    return value


def number(value: Any) -> float:
    """A value that is a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise WrongValueError(f"expected a number, received {received(value)}")
    return value


def whole(value: Any) -> int:
    """A value that is a whole number above 0."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise WrongValueError(f"expected a whole number above 0, received {received(value)}")
    return value
