"""Loads the user's code: the plugins.py beside a configuration, and objects named by a dotted path."""

import importlib
import importlib.util
import os
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any, Never

from toolkit.errors import ConfigError
from toolkit.files.disk.digests import digest, file_digest

_TENSORFLOW_SETTINGS = {
    "TF_USE_LEGACY_KERAS": "1",
    "SM_FRAMEWORK": "tf.keras",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "NO_ALBUMENTATIONS_UPDATE": "1",
}
"""Environment variables that must be set before anything, including the user's code, imports TensorFlow."""


def prepare_for_tensorflow() -> None:
    """Set the environment for TensorFlow; call this before anything, including the user's code, imports it."""
    os.environ.update(_TENSORFLOW_SETTINGS)
    # By default TensorFlow leaves oneDNN off on processors that have only AVX2, where it then trains a third to half
    # slower. A value that the user has set is kept.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


class _SourceLoader(SourceFileLoader):
    """Always compiles the source.

    Python would keep bytecode in `__pycache__`, and take a file for unchanged that was edited within a second without
    changing its size. Then other code would run than that whose digest is recorded.
    """

    def path_stats(self, path: Any) -> Never:
        """Refuse what the cache would be compared with."""
        raise OSError("plugins are not cached")


def load_plugins(path: Path) -> Any:
    """Import a plugins.py as a module; it runs again only when its content has changed.

    Raises:
        ConfigError: the file does not exist, is not Python, or raises an error.
    """
    if not path.is_file():
        raise ConfigError(f"there is no file {path}")
    # The name distinguishes the files of two experiments in one process.
    name = f"toolkit_plugins_{digest(str(path.absolute()).encode())}"
    content = file_digest(path)
    known = sys.modules.get(name)
    if known is not None and getattr(known, "__toolkit_content__", "") == content:
        return known
    spec = importlib.util.spec_from_file_location(name, path, loader=_SourceLoader(name, str(path)))
    if spec is None or spec.loader is None:
        raise ConfigError(f"{path} cannot be loaded as Python")
    prepare_for_tensorflow()
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and typing look up a class's module there
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ConfigError(f"{path} raised an error: {type(error).__name__}: {error}") from error
    module.__toolkit_content__ = content  # type: ignore[attr-defined] # a mark for the next call
    return module


def load_dotted(name: str) -> Any:
    """The object with a dotted path, for example `package.module.name`.

    Raises:
        ConfigError: the object does not exist, or importing its module raises an error.
    """
    module, _, attribute = name.rpartition(".")
    prepare_for_tensorflow()
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"{name} cannot be imported: {error}", "Check the dotted path and that its package is installed."
        ) from error
    except Exception as error:
        raise ConfigError(f"{module} raised an error: {type(error).__name__}: {error}") from error
