"""Ray, an optional package: its import, and what it must know before that."""

import importlib
import importlib.util
import os
from typing import Any

from toolkit.errors import ConfigError

_INSTALL = "pip install 'segmentation-toolkit[cluster]'"


def require_ray() -> Any:
    """The module ray.

    Raises:
        ConfigError: it is not installed.
    """
    if importlib.util.find_spec("ray") is None:
        raise ConfigError("--on: Ray is not installed", f"Run: {_INSTALL}\nOr leave --on out to use this machine.")
    # No reports over the network, and no hints for programmers.
    for name in ("RAY_USAGE_STATS_ENABLED", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"):
        os.environ.setdefault(name, "0")
    return importlib.import_module("ray")


def require_local_ray() -> Any:
    """The module ray, whose servers can only be reached from this machine; raises as `require_ray`."""
    # Read when ray is imported. In spite of its name it decides on every system whether Ray binds to 127.0.0.1.
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    return require_ray()
