"""The user's own code: plugins.py beside a configuration, and things named by a dotted path."""

import importlib
import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

from toolkit.errors import ConfigError
from toolkit.files.disk.digests import digest, file_digest

_TENSORFLOW_SETTINGS = {
    "TF_USE_LEGACY_KERAS": "1",
    "SM_FRAMEWORK": "tf.keras",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "NO_ALBUMENTATIONS_UPDATE": "1",
}
"""What has to be in the environment before anyone imports TensorFlow."""


def prepare_for_tensorflow() -> None:
    """Set the environment for TensorFlow, before anyone imports it, be it the user's code."""
    os.environ.update(_TENSORFLOW_SETTINGS)
    # Left to itself TensorFlow has oneDNN off on processors with AVX2 only, where it trains a third to half slower. Who
    # has set the variable knows why, and what is set is what every process of theirs goes on with.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


def load_plugins(path: Path) -> Any:
    """The module that a plugins.py is; run once as long as it does not change.

    Raises:
        ConfigError: it is not there, is no Python, or fails when it is run.
    """
    if not path.is_file():
        raise ConfigError(f"there is no file {path}")
    # The name tells two experiments' files apart when one process works on both.
    name = f"toolkit_plugins_{digest(str(path.absolute()).encode())}"
    content = file_digest(path)
    known = sys.modules.get(name)
    if known is not None and getattr(known, "__toolkit_content__", "") == content:
        return known
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{path} cannot be read as Python")
    prepare_for_tensorflow()
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and typing look a class's module up there
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ConfigError(f"{path} fails when it is run: {type(error).__name__}: {error}") from error
    module.__toolkit_content__ = content  # type: ignore[attr-defined] # a mark of our own
    return module


def load_dotted(name: str) -> Any:
    """What a dotted path such as `package.module.name` names.

    Raises:
        ConfigError: there is no such thing, or its module fails when it is run.
    """
    module, _, attribute = name.rpartition(".")
    prepare_for_tensorflow()
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"{name} cannot be had: {error}", "A dotted path names something that Python can import."
        ) from error
    except Exception as error:
        raise ConfigError(f"{module} fails when it is run: {type(error).__name__}: {error}") from error
