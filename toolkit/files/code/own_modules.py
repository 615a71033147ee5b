"""Finds the modules of the user's code, and all that they import, without running any of them."""

import ast
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any, Never

from toolkit.config.yaml.file_paths import regular
from toolkit.config.yaml.plugin_names import PLUGINS
from toolkit.files.disk.digests import file_digest

MODULE = "module "
"""Begins the key of a module's digest; the rest is its dotted name."""

_OWN = "the user's own code"


class SourceLoader(SourceFileLoader):
    """Always compiles the source.

    Python would keep bytecode in `__pycache__`, and take a file for unchanged that was edited within a second without
    changing its size. Then other code would run than that whose digest is recorded.
    """

    def path_stats(self, path: Any) -> Never:
        """Refuse what the cache would be compared with."""
        raise OSError("the user's code is not cached")


class OwnModules(MetaPathFinder):
    """Finds modules beside a configuration and in the working folder.

    It is asked after all other finders, so that no file of the user hides a module of Python or an installed package.
    `contents` are the digests of the files that were loaded.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = tuple(folders)
        self.contents: dict[Path, str] = {}
        self._finders = [FileFinder(str(folder), (SourceLoader, SOURCE_SUFFIXES)) for folder in folders]

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The first module of this name; None for a module inside a package, which Python finds by itself."""
        for finder in self._finders if path is None else ():
            spec = finder.find_spec(fullname)
            if spec is not None and (spec.loader is not None or _holds_code(spec)):
                spec.loader_state = _OWN
                return spec
        return None

    def invalidate_caches(self) -> None:
        """Look into the folders again."""
        for finder in self._finders:
            finder.invalidate_caches()


def _holds_code(spec: ModuleSpec) -> bool:
    """Whether a folder without `__init__.py` is a package, and not merely a folder of this name."""
    return any(True for place in spec.submodule_search_locations or () for _ in Path(place).glob("*.py"))


def own_folders(folder: Path) -> tuple[Path, Path]:
    """Where modules are looked for beside installed ones: the folder of a configuration, and the working folder."""
    return folder.absolute(), Path.cwd()


def forget_own_modules() -> None:
    """Forget the modules that `OwnModules` has found, so that they are loaded again."""
    own = {name for name, module in sys.modules.items() if _is_own(module)}
    for name in [name for name in sys.modules if name.partition(".")[0] in own]:
        del sys.modules[name]


def _is_own(module: ModuleType) -> bool:
    return getattr(getattr(module, "__spec__", None), "loader_state", None) is _OWN


def find_source(name: str, folder: Path) -> Path | None:
    """The source of a module as it would be imported; None if there is no such module, or it has no source."""
    top, *inner = name.split(".")
    others = [finder for finder in sys.meta_path if not isinstance(finder, OwnModules)]
    finders: list[Any] = [*others, OwnModules(own_folders(folder))]
    spec = next((found for finder in finders if (found := finder.find_spec(top, None)) is not None), None)
    for part in inner:
        if spec is None or spec.submodule_search_locations is None:
            return None
        # Without the names of the packages around: one without __init__.py would be looked up in sys.modules.
        spec = PathFinder.find_spec(part, list(spec.submodule_search_locations))
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None


def code_digests(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """The digests of the user's code: of plugins.py under `plugins`, of each module under its name after `MODULE`.

    Args:
        folder: of the configuration.
        names: the dotted paths in it. Their modules count, and what these and plugins.py import from `own_folders`.
    """
    plugins = folder / PLUGINS
    own = {"plugins": file_digest(plugins)} if plugins.is_file() else {}
    return own | {MODULE + name: file_digest(path) for name, path in sorted(sources_of(folder, names).items())}


def sources_of(folder: Path, names: Iterable[str]) -> dict[str, Path]:
    """The files of the modules that dotted paths name, and of one's own modules that these and plugins.py import."""
    plugins = folder / PLUGINS
    modules = [name.rpartition(".")[0] for name in names]
    found = {name: path for name in modules if (path := find_source(name, folder))}
    waiting = [outer for name in modules for outer in _with_packages(name)]
    if plugins.is_file():
        waiting += _imports_of(plugins, "")
    waiting += [one for name, path in found.items() for one in _imports_of(path, name)]
    seen = set(found)
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        path = _find_own(name, folder)
        if path is not None:
            found[name] = path
            waiting += _imports_of(path, name)
    return found


def _find_own(name: str, folder: Path) -> Path | None:
    """The source of a module if it lies in `own_folders`: not in an environment below, and not the toolkit's own."""
    top = name.partition(".")[0]
    places = [place for place in own_folders(folder) if (place / top).is_dir() or (place / f"{top}.py").is_file()]
    path = find_source(name, folder) if places and top != "toolkit" else None
    inside = path is not None and any(
        path == place / f"{top}.py" or path.is_relative_to(place / top) for place in places
    )
    return path if inside else None


def _with_packages(name: str) -> list[str]:
    """The name of a module after those of the packages around it: `a`, `a.b`, `a.b.c`."""
    parts = name.split(".")
    return [".".join(parts[: length + 1]) for length in range(len(parts))]


def _imports_of(path: Path, name: str) -> list[str]:
    """Every name that a module may import as a module; none if it is not valid Python, which loading it reports."""
    try:
        tree = ast.parse(regular(path).read_bytes())
    except (SyntaxError, ValueError):
        return []
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = [one for node in ast.walk(tree) for one in _imports_in(node, package)]
    return [outer for one in found for outer in _with_packages(one)]


def _imports_in(node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        around = package.split(".") if node.level else []
        parts = around[: len(around) - node.level + 1] + ([node.module] if node.module else [])
        if parts:
            yield ".".join(parts)
            yield from (".".join([*parts, alias.name]) for alias in node.names)
