"""YAML as plain data, with the file and line of each key."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.representer import RoundTripRepresenter
from ruamel.yaml.scalarbool import ScalarBoolean

from toolkit.errors import ConfigError, MissingFileError

KeyPath = tuple[str | int, ...]

_NODES_AT_MOST = 100_000


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


@dataclass(frozen=True)
class Document:
    """Plain data (dict, tuple, str, int, float, bool, None) and the position of every key path in it."""

    tree: dict[str, Any]
    positions: dict[KeyPath, Position]


def read_document(path: Path) -> Document:
    """Read a YAML 1.2 or JSON file whose top level is a mapping.

    Raises:
        MissingFileError: the file does not exist or is not text.
        ConfigError: the file has a syntax error or a duplicate key, or its top level is not a mapping.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MissingFileError(f"cannot read {path}: {error}") from error
    loaded = _parse(text, str(path))
    if not isinstance(loaded, Mapping):
        received = "nothing" if loaded is None else "a list" if isinstance(loaded, list) else "a single value"
        raise ConfigError(f"{path}:1: expected `key: value` lines, received {received}")
    positions: dict[KeyPath, Position] = {}
    tree = _plain(loaded, (), str(path), positions)
    return Document(tree, positions)


def read_value(text: str, source: str) -> Any:
    """Read one YAML value from the command line; `source` names the option in messages.

    Raises:
        ConfigError: the text is not valid YAML.
    """
    return _plain(_parse(text, source), (), source, {})


def write_yaml(tree: Mapping[str, Any]) -> str:
    """Write plain data as YAML: keys in the order given, lists of single values on one line."""
    yaml = YAML(typ="rt", pure=True)
    yaml.Representer = _Representer
    yaml.width = 1000
    yaml.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    yaml.dump(_styled(tree), stream)
    return stream.getvalue()


class _Representer(RoundTripRepresenter):
    """Writes `null` where ruamel would write nothing, which looks like a mistake."""

    def represent_none(self, data: Any) -> Any:
        return self.represent_scalar("tag:yaml.org,2002:null", "null")


_Representer.add_representer(type(None), _Representer.represent_none)


def _styled(node: Any) -> Any:
    if isinstance(node, Mapping):
        return CommentedMap((key, _styled(value)) for key, value in node.items())
    if isinstance(node, tuple | list):
        styled = CommentedSeq(map(_styled, node))
        if not any(isinstance(entry, CommentedMap | CommentedSeq) for entry in styled):
            styled.fa.set_flow_style()
        return styled
    return node


def _parse(text: str, source: str) -> Any:
    yaml = YAML(typ="rt", pure=True)
    try:
        return yaml.load(text)
    except DuplicateKeyError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{source}:{line}: {str(error.problem).splitlines()[0]}") from error
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{source}:{line}: invalid YAML: {error.problem}") from error
    except (YAMLError, ValueError) as error:
        raise ConfigError(f"{source}: invalid YAML: {error}") from error
    except RecursionError as error:
        raise ConfigError(f"{source}: lists and mappings are nested too deeply") from error


def _plain(node: Any, at: KeyPath, source: str, positions: dict[KeyPath, Position]) -> Any:
    """Turn ruamel's round-trip types into plain ones and record positions; sequences become tuples."""
    if len(positions) > _NODES_AT_MOST:
        raise ConfigError(
            f"{source}: more than {_NODES_AT_MOST} keys; nested aliases that multiply keys are not allowed"
        )
    if isinstance(node, Mapping):
        result: dict[str, Any] = {}
        for key, value in node.items():
            where = (*at, str(key))
            positions[where] = Position(source, _line(node, key))
            result[str(key)] = _plain(value, where, source, positions)
        return result
    if isinstance(node, Sequence) and not isinstance(node, str):
        for index in range(len(node)):
            positions[*at, index] = Position(source, _line(node, index))
        return tuple(_plain(value, (*at, index), source, positions) for index, value in enumerate(node))
    return _scalar(node)


def _scalar(node: Any) -> Any:
    if node is None or isinstance(node, bool):
        return node
    if isinstance(node, ScalarBoolean):  # a boolean with an anchor
        return bool(node)
    for plain in (int, float, str):
        if isinstance(node, plain):
            return plain(node)
    return str(node)


def _line(node: Any, key: Any) -> int:
    """The line of a key or list entry; for a key merged in by `<<`, the line of the mapping around it."""
    lines = getattr(node, "lc", None)
    if lines is None or lines.line is None:
        return 1
    return int((lines.data or {}).get(key, (lines.line,))[0]) + 1
