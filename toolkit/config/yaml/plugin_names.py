"""The names that the plugins.py beside a configuration defines; the file is parsed but not run."""

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from toolkit.config.yaml.file_paths import regular
from toolkit.errors import ConfigError

PLUGINS = "plugins.py"

Kind = Literal["architecture", "loss", "transform", "callback"]

_FIRST_PARAMETERS: Mapping[str, Kind] = {
    "shape": "architecture",
    "input_shape": "architecture",
    "target": "loss",
    "truth": "loss",
    "y_true": "loss",
    "image": "transform",
}
"""What a function is, by the name of its first parameter; the functions of metrics have those of losses."""


class PluginNames(frozenset[str]):
    """The names that a plugins.py defines, sorted; `kinds` says what some of them are, as far as the code shows it."""

    kinds: Mapping[str, Kind] = MappingProxyType({})

    def __iter__(self) -> Iterator[str]:
        """The names, sorted: they end up in messages."""
        return iter(sorted(super().__iter__()))


def names_of_kind(kind: Kind, plugins: Collection[str]) -> list[str]:
    """The names that are, or may be, of a kind, sorted."""
    kinds = getattr(plugins, "kinds", {})
    return sorted(name for name in plugins if kinds.get(name, kind) == kind)


def refuse_other_kind(kind: Kind, name: str, plugins: Collection[str]) -> None:
    """Check that a name is not of another kind.

    Raises:
        ValueError: the code shows that it is.
    """
    found = getattr(plugins, "kinds", {}).get(name, kind)
    if "architecture" in (found, kind) and found != kind:
        raise ValueError(
            f"{name} of {PLUGINS} is no {kind}: by its first parameter it is {_WITH_ARTICLE[found]}; "
            f"{_WITH_ARTICLE[kind]} has {_PARAMETERS[kind]}"
        )


_WITH_ARTICLE: Mapping[Kind, str] = {
    "architecture": "an architecture",
    "loss": "a loss or metric",
    "transform": "a transform",
    "callback": "a callback",
}
_PARAMETERS: Mapping[Kind, str] = {
    "architecture": "the parameters (shape, classes, …)",
    "loss": "the parameters (target, prediction)",
    "transform": "the parameters (image, labels, generator)",
    "callback": "the methods of a Keras callback",
}


def names_defined_beside(config: Path) -> PluginNames:
    """The public functions and classes of the plugins.py in the folder of a configuration; empty without such a file.

    Raises:
        ConfigError: the file is not valid Python.
    """
    path = config.parent / PLUGINS
    if not path.is_file():
        return PluginNames()
    try:
        tree = ast.parse(regular(path).read_text("utf-8"))
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        raise ConfigError(
            f"{path}:{line}: {getattr(error, 'msg', error)}",
            "plugins.py must be valid Python; correct it, or remove the file.",
        ) from error
    public = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name[0] != "_"]
    names = PluginNames(node.name for node in public)
    names.kinds = {node.name: kind for node in public if (kind := _kind_of(node)) is not None}
    return names


def _kind_of(node: ast.FunctionDef | ast.ClassDef) -> Kind | None:
    if isinstance(node, ast.ClassDef):
        return "callback" if any("Callback" in ast.unparse(base) for base in node.bases) else None
    first = [*node.args.posonlyargs, *node.args.args][:1]
    return _FIRST_PARAMETERS.get(first[0].arg) if first else None


def code_elsewhere(path: Path, extended: Iterable[Path], problems: str) -> str:
    """Advice if a name that is not valid is defined beside a file that a configuration extends; empty otherwise."""
    for other in extended:
        for name in sorted(names_defined_beside(other)):
            if f"{name!r} is not valid" in problems:
                found = other.parent / PLUGINS
                return (
                    f"{found} defines {name}, but code is not inherited: copy it to {path.parent / PLUGINS}, "
                    f"or make the variant with: tk new NAME --extends {other.parent.name}"
                )
    return ""
