"""YAML as plain data, with the file and line of each key."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from toolkit.config.yaml.file_paths import regular
from toolkit.errors import ConfigError, MissingFileError

KeyPath = tuple[str | int, ...]

_KEYS_AT_MOST = 100_000
_LEVELS_AT_MOST = 100
_DIGITS_AT_MOST = 100


@dataclass(frozen=True)
class Position:
    """The place of a key: a file and a line from 1, or an override on the command line (line 0)."""

    source: str
    line: int

    def __str__(self) -> str:
        """`file:line`, as editors understand it."""
        return f"{self.source}:{self.line}" if self.line else self.source


def nearest_position(positions: Mapping[KeyPath, Position], key: KeyPath) -> Position | None:
    """The position of a key, or of the nearest key around it; None if there is none."""
    around = (positions.get(key[:length]) for length in range(len(key), 0, -1))
    return next((position for position in around if position is not None), None)


class Replacing(dict[str, Any]):
    """A mapping marked `!replace`: it takes the place of the inherited one instead of being merged into it."""


@dataclass(frozen=True)
class Document:
    """Plain data (dict, tuple, str, int, float, bool, None) and the position of every key path in it.

    `notes` say what was left out while files were merged.
    """

    tree: dict[str, Any]
    positions: dict[KeyPath, Position]
    notes: tuple[str, ...] = ()


def read_document(path: Path) -> Document:
    """Read a YAML 1.2 or JSON file whose top level is a mapping.

    Raises:
        MissingFileError: the file does not exist or is not text.
        ConfigError: the file has a syntax error or a duplicate key, or its top level is not a mapping.
    """
    try:
        text = regular(path).read_text("utf-8")
    except FileNotFoundError as error:
        raise MissingFileError(f"cannot read {path}: there is no such file") from error
    except OSError as error:
        raise MissingFileError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error
    except UnicodeDecodeError as error:
        raise MissingFileError(f"cannot read {path}: it is not text in UTF-8") from error
    node = _compose(text, str(path))
    if not isinstance(node, yaml.MappingNode):
        received = "nothing" if node is None else "a list" if isinstance(node, yaml.SequenceNode) else "a single value"
        raise ConfigError(f"{path}:1: expected `key: value` lines, received {received}")
    reading = _Reading(str(path))
    return Document(reading.value(node), reading.positions)


def read_value(text: str, source: str) -> Any:
    """Read one YAML value from the command line; `source` names the option in messages.

    Raises:
        ConfigError: the text is not valid YAML.
    """
    node = _compose(text, source)
    return None if node is None else _Reading(source).value(node)


def write_yaml(tree: Mapping[str, Any]) -> str:
    """Write plain data as YAML: keys in the order given, lists of single values on one line."""
    text: str = yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=float("inf"))
    return text


_TAG = "tag:yaml.org,2002:"
_REPLACE = "!replace"

_CORE_SCHEMA = {
    "null": r"~|null|Null|NULL|",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "int": r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+",
    "float": r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
    "merge": r"<<",
}
"""What text without quotes means in YAML 1.2 (https://yaml.org/spec/1.2.2, section 10.3.2): the first that fits.

PyYAML's own rules are those of YAML 1.1, where `no` is false and `1e-3` is text.
"""

_RESOLVERS = {None: [(_TAG + name, re.compile(rf"(?:{pattern})\Z")) for name, pattern in _CORE_SCHEMA.items()]}
"""The same as PyYAML wants it: for text that begins with any character."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc] # the first needs libyaml
    yaml_implicit_resolvers = _RESOLVERS


class _Dumper(yaml.SafeDumper):
    """Writes lists in mappings indented, lists of single values on one line, and a value that occurs twice twice."""

    yaml_implicit_resolvers = _RESOLVERS

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, indentless=False)

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def list_node(self, data: Any) -> yaml.Node:
        flow = not any(isinstance(entry, Mapping | list | tuple) for entry in data)
        return self.represent_sequence(_TAG + "seq", data, flow_style=flow)

    def mapping_node(self, data: Any) -> yaml.Node:
        tag = _REPLACE if isinstance(data, Replacing) else _TAG + "map"
        return self.represent_mapping(tag, data.items(), flow_style=not data)


_Dumper.add_representer(list, _Dumper.list_node)
_Dumper.add_representer(tuple, _Dumper.list_node)
_Dumper.add_representer(dict, _Dumper.mapping_node)
_Dumper.add_representer(Replacing, _Dumper.mapping_node)


def _compose(text: str, source: str) -> yaml.Node | None:
    try:
        node: yaml.Node | None = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        last = text.rstrip().count("\n")  # what is missing at the end is found missing in the line after it
        line = min(error.problem_mark.line, last) + 1 if error.problem_mark else 1
        before = "; is there a comma at the end of the line before?" if "expected ','" in str(error.problem) else ""
        kind = "JSON" if source.endswith(".json") else "YAML"
        raise ConfigError(f"{source}:{line}: invalid {kind}: {error.problem}{before}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{source}: invalid YAML: {error}") from error
    except RecursionError as error:  # libyaml has a limit of its own
        raise ConfigError(f"{source}: lists and mappings are nested too deeply") from error
    return node


@dataclass
class _Reading:
    """Turns nodes into plain data and records the position of each key; lists become tuples."""

    source: str
    positions: dict[KeyPath, Position] = field(default_factory=dict)

    def value(self, node: yaml.Node, at: KeyPath = ()) -> Any:
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if len(self.positions) > _KEYS_AT_MOST:
            raise ConfigError(
                f"{self.source}: more than {_KEYS_AT_MOST} keys; nested aliases that multiply keys are not allowed"
            )
        if len(at) > _LEVELS_AT_MOST:
            raise self._error(node, "lists and mappings are nested too deeply")
        if isinstance(node, yaml.MappingNode):
            kind = Replacing if node.tag == _REPLACE else dict
            if kind is dict:
                self._refuse_tag(node, "map")
            entries = self._entries(node)
            self.positions.update({(*at, key): self._position(line) for key, (line, _) in entries.items()})
            return kind({key: self.value(value, (*at, key)) for key, (_, value) in entries.items()})
        self._refuse_tag(node, "seq")
        self.positions.update({(*at, index): self._position(_line(entry)) for index, entry in enumerate(node.value)})
        return tuple(self.value(entry, (*at, index)) for index, entry in enumerate(node.value))

    def _entries(self, mapping: yaml.MappingNode, levels: int = 0) -> dict[str, tuple[int, yaml.Node]]:
        """The line and node of each key; keys merged in by `<<` have the line of the mapping that merges them."""
        if levels > _LEVELS_AT_MOST:
            raise self._error(mapping, "mappings are merged too deeply")
        entries: dict[str, tuple[int, yaml.Node]] = {}
        merged: list[yaml.Node] = []
        for key, value in mapping.value:
            if key.tag == _TAG + "merge":
                merged += value.value if isinstance(value, yaml.SequenceNode) else [value]
                continue
            if not isinstance(key, yaml.ScalarNode):
                raise self._error(key, "a key must be a single value")
            if key.value in entries:
                raise self._error(key, f'duplicate key "{key.value}"; the first is in line {entries[key.value][0]}')
            entries[key.value] = (_line(key), value)
        for node in merged:
            if not isinstance(node, yaml.MappingNode):
                raise self._error(node, "only mappings can be merged by <<")
            for name, (_, value) in self._entries(node, levels + 1).items():
                entries.setdefault(name, (_line(mapping), value))
        return entries

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        text, kind = node.value, node.tag.removeprefix(_TAG)
        try:
            match kind:
                case "null":
                    return None
                case "bool":
                    return {"true": True, "false": False}[text.lower()]
                case "int":
                    if len(text) > _DIGITS_AT_MOST:
                        raise self._error(
                            node, f"invalid YAML: a number of {len(text)} digits; at most {_DIGITS_AT_MOST}"
                        )
                    return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
                case "float":
                    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        except (KeyError, ValueError) as error:
            raise self._error(node, f"invalid YAML: this is not a value of type {kind}") from error
        if kind != "merge":  # << as a value is text
            self._refuse_tag(node, "str")
        return text

    def _refuse_tag(self, node: yaml.Node, expected: str) -> None:
        """Refuse a tag that has no meaning here: it would be ignored without a word."""
        if node.tag == _REPLACE:
            raise self._error(node, "!replace marks a mapping; lists and single values always replace inherited ones")
        if node.tag != _TAG + expected:
            raise self._error(node, f"the tag {node.tag.replace(_TAG, '!!')} is unknown here; only !replace is allowed")

    def _position(self, line: int) -> Position:
        return Position(self.source, line)

    def _error(self, node: yaml.Node, problem: str) -> ConfigError:
        return ConfigError(f"{self.source}:{_line(node)}: {problem}")


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
