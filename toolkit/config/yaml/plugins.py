"""What a plugins.py beside a configuration defines, found by reading it: nothing in it is run here."""

import ast
from pathlib import Path

from toolkit.errors import ConfigError

PLUGINS = "plugins.py"


def names_defined_beside(config: Path) -> frozenset[str]:
    """Functions and classes at the top of the plugins.py in the folder of a configuration; none if there is no file.

    Raises:
        ConfigError: the file is no Python.
    """
    path = config.parent / PLUGINS
    if not path.is_file():
        return frozenset()
    try:
        tree = ast.parse(path.read_text("utf-8"))
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        raise ConfigError(f"{path}:{line}: {getattr(error, 'msg', error)}", "It has to be a Python file.") from error
    kinds = (ast.FunctionDef, ast.ClassDef)
    return frozenset(node.name for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_"))
