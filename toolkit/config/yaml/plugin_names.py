"""The names that the plugins.py beside a configuration defines; the file is parsed but not run."""

import ast
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
