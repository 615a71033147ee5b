"""The names that the plugins.py beside a configuration defines; the file is parsed but not run."""

import ast
from collections.abc import Iterable
from pathlib import Path

from toolkit.errors import ConfigError

PLUGINS = "plugins.py"


def names_defined_beside(config: Path) -> frozenset[str]:
    """The public functions and classes of the plugins.py in the folder of a configuration; empty without such a file.

    Raises:
        ConfigError: the file is not valid Python.
    """
    path = config.parent / PLUGINS
    if not path.is_file():
        return frozenset()
    try:
        tree = ast.parse(path.read_text("utf-8"))
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        raise ConfigError(
            f"{path}:{line}: {getattr(error, 'msg', error)}",
            "plugins.py must be valid Python; correct it, or remove the file.",
        ) from error
    kinds = (ast.FunctionDef, ast.ClassDef)
    return frozenset(node.name for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_"))


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
