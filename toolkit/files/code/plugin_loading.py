"""Loads the user's code: the plugins.py beside a configuration, and objects named by a dotted path."""

import importlib
import importlib.util
import os
import re
import sys
import tempfile
import traceback
from collections.abc import Collection, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any

from toolkit.errors import ConfigError, nearest, not_valid
from toolkit.files.code.own_modules import (
    OwnModules,
    SourceLoader,
    find_source,
    forget_own_modules,
    own_folders,
    sources_of,
)
from toolkit.files.disk.digests import digest, file_digest
from toolkit.files.disk.usable_cores import usable_cores

_TENSORFLOW_SETTINGS = {
    "TF_USE_LEGACY_KERAS": "1",
    "SM_FRAMEWORK": "tf.keras",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "NO_ALBUMENTATIONS_UPDATE": "1",
}
"""Environment variables that must be set before anything, including the user's code, imports TensorFlow."""

_LOGGED = re.compile(
    rb"[IWE]\d{4} \d|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IWE] |WARNING: All log messages before absl|To enable the "
)
"""How lines begin that TensorFlow's native code logs."""


def prepare_for_tensorflow() -> None:
    """Set the environment for TensorFlow; call this before anything, including the user's code, imports it."""
    os.environ.update(_TENSORFLOW_SETTINGS)
    # By default TensorFlow leaves oneDNN off on processors that have only AVX2, where it then trains a third to half
    # slower. A value that the user has set is kept.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    # By itself TensorFlow starts a thread for each core of the machine, also where its container may use only a few.
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(usable_cores()))


def load_plugins(path: Path) -> ModuleType:
    """Import a plugins.py as a module; it runs again only when its content, or that of its own imports, has changed.

    Raises:
        ConfigError: the file does not exist, is not Python, or raises an error.
    """
    if not path.is_file():
        raise ConfigError(f"there is no file {path}")
    # The name distinguishes the files of two experiments in one process.
    name = f"toolkit_plugins_{digest(str(path.absolute()).encode())}"
    files = [path, *sources_of(path.parent, ()).values()]
    content = digest("".join(map(file_digest, files)).encode())
    known = sys.modules.get(name)
    if known is not None and getattr(known, "__toolkit_content__", "") == content:
        return known
    spec = importlib.util.spec_from_file_location(name, path, loader=SourceLoader(name, str(path)))
    if spec is None or spec.loader is None:
        raise ConfigError(f"{path} cannot be loaded as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and typing look up a class's module there
    try:
        with _running(path.parent, files, str(path)):
            spec.loader.exec_module(module)
    except ConfigError:
        del sys.modules[name]
        raise
    module.__toolkit_content__ = content  # type: ignore[attr-defined] # a mark for the next call
    return module


def load_dotted(name: str, folder: Path) -> Any:
    """The function or class with a dotted path, for example `package.module.name`.

    Its module is an installed one, or else one in `own_folders`; those run again only when they have changed.

    Args:
        name: the dotted path.
        folder: of the configuration that names it.

    Raises:
        ConfigError: there is no such module, it defines no function or class of this name, or raises an error.
    """
    module, _, _ = name.rpartition(".")
    files = sources_of(folder, [name]).values()
    try:
        with _running(folder, files, module):
            loaded = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise _not_found(name, str(error.name), folder) from error
    return take(loaded, name, folder)


def take(module: ModuleType, name: str, folder: Path) -> Any:
    """The function or class of a loaded module; `name` is its dotted path, or its name in plugins.py.

    Raises:
        ConfigError: the module does not define it, or it is something else.
    """
    attribute = name.rpartition(".")[2]
    if not hasattr(module, attribute):
        offered = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        here = [key for key in offered if getattr(getattr(module, key), "__module__", "") == module.__name__]
        file = getattr(module, "__file__", None)
        raise ConfigError(
            f"{name} cannot be imported: {file or module.__name__} defines no {attribute!r}: "
            f"{not_valid(attribute, here or offered)}",
            _hidden(module.__name__, file, folder),
        )
    found = getattr(module, attribute)
    if not callable(found):
        raise ConfigError(f"{name} is {found!r} of type {type(found).__name__}, expected a function or a class")
    return found


@contextmanager
def _running(folder: Path, files: Collection[Path], what: str) -> Iterator[None]:
    """Let code run that may import from `own_folders`, and turn its errors into messages with file and line.

    A ModuleNotFoundError for `what` itself is left to the caller.
    """
    prepare_for_tensorflow()
    _offer_own_modules(folder, files)
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # see SourceLoader
    try:
        with nullcontext() if "tensorflow" in sys.modules else _without_log_of_tensorflow():
            yield
    except BaseException as error:
        if type(error) is KeyboardInterrupt:
            raise
        if isinstance(error, ModuleNotFoundError) and f"{what}.".startswith(f"{error.name}."):
            raise
        raise _failed(error, files, what) from error
    finally:
        sys.dont_write_bytecode = writes
    _refuse_changes_of_the_program(what)


def _refuse_changes_of_the_program(what: str) -> None:
    """Refuse code that has closed the program's output, or changed how TensorFlow works.

    Raises:
        ConfigError: `what` has done so when it was imported.
    """
    for name, number in (("stdout", 1), ("stderr", 2)):
        if getattr(getattr(sys, name), "closed", False):
            # Otherwise nothing could say why. Python leaves the descriptor open.
            setattr(sys, name, open(number, "w", encoding="utf-8", closefd=False))  # noqa: SIM115
            raise ConfigError(f"{what} closes sys.{name}", "Remove this from the code: results are printed there.")
    version1 = getattr(getattr(sys.modules.get("tensorflow"), "compat", None), "v1", None)
    if version1 is not None and not version1.executing_eagerly_outside_functions():
        raise ConfigError(
            f"{what} switches TensorFlow to the behaviour of version 1",
            "Remove tf.compat.v1.disable_v2_behavior() or disable_eager_execution() from the code.",
        )


@contextmanager
def _without_log_of_tensorflow() -> Iterator[None]:
    """Hold back what is written to stderr, and write it at the end without the lines that TensorFlow logs on import."""
    with tempfile.TemporaryFile() as held:
        saved = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            held.seek(0)
            os.write(saved, b"".join(line for line in held if not _LOGGED.match(line)))
            os.close(saved)


def _offer_own_modules(folder: Path, files: Collection[Path]) -> None:
    """Let Python find modules in `own_folders`; those of other folders, and changed ones, are forgotten."""
    folders, contents = own_folders(folder), {path: file_digest(path) for path in files}
    offered = next((finder for finder in sys.meta_path if isinstance(finder, OwnModules)), None)
    known = {} if offered is None else offered.contents
    if (
        offered is None
        or offered.folders != folders
        or any(known.get(path, new) != new for path, new in contents.items())
    ):
        forget_own_modules()
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not offered]
        offered = OwnModules(folders)
        sys.meta_path.append(offered)
    offered.contents.update(contents)
    importlib.invalidate_caches()


def _failed(error: BaseException, files: Collection[Path], what: str) -> ConfigError:
    """The error of code that cannot be run, with the last line of the user's files that it went through."""
    if isinstance(error, SyntaxError):
        return ConfigError(f"{error.filename}:{error.lineno}: {error.msg}", f"{what} must be valid Python; correct it.")
    own = {str(path) for path in files}
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in own]
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else what
    return ConfigError(f"{place} raised an error: {type(error).__name__}: {error}")


def _not_found(name: str, missing: str, folder: Path) -> ConfigError:
    beside, working = own_folders(folder)
    own = {path.stem for place in (beside, working) for path in place.glob("*.py")}
    near = nearest(missing, sorted(own))
    guess = "" if near is None else f"; did you mean {near!r}?"
    advice = "Write the module into one of these folders, or correct the dotted path."
    bare = next((place / missing for place in (beside, working) if (place / missing).is_dir()), None)
    if bare is not None:
        advice = f"{bare} holds no Python file itself, and so is no package. Write an empty __init__.py into it."
    return ConfigError(
        f"{name} cannot be imported: there is no module {missing!r} beside the configuration in {beside}, in the "
        f"working folder {working}, or among the installed packages{guess}",
        advice,
    )


def _hidden(module: str, file: str | None, folder: Path) -> str:
    """Advice if a file of the user has the name of an installed module, which precedes it."""
    own = [place / f"{module}.py" for place in own_folders(folder)]
    hidden = [path for path in own if path.is_file() and str(path) != file and str(find_source(module, folder)) == file]
    return f"{hidden[0]} is not used, because an installed module has its name: rename the file." if hidden else ""
