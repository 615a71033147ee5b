"""OpenVINO, an optional package: whether it is installed, and its import."""

import importlib
import importlib.util
import sys
from importlib import metadata
from typing import Any

from toolkit.config.training.execution import EngineChoice
from toolkit.errors import ConfigError

_INSTALL = "pip install 'segmentation-toolkit[openvino]'"
_MODULE, _TELEMETRY = "openvino", "openvino_telemetry"


def installed_version() -> str:
    """The version of OpenVINO; empty if it is not installed."""
    try:
        return metadata.version(_MODULE) if importlib.util.find_spec(_MODULE) is not None else ""
    except metadata.PackageNotFoundError:  # a folder of that name
        return ""


def refuse_missing(engine: EngineChoice | None) -> None:
    """Refuse an engine that is not installed; `auto` and None are always accepted.

    Raises:
        ConfigError: it is not installed.
    """
    if engine == "openvino" and not installed_version():
        raise ConfigError(
            "engine: openvino is not installed", f"Run: {_INSTALL}\nOr use TensorFlow: --engine tensorflow"
        )


def require_openvino() -> Any:
    """The module openvino, which sends no telemetry; raises as `refuse_missing`."""
    refuse_missing("openvino")
    known = sys.modules.get(_TELEMETRY)
    # By default OpenVINO reports each import over the network. Without this package it has nothing to report with.
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment] # stands for a module that is not installed
    try:
        return importlib.import_module(_MODULE)
    finally:
        sys.modules.pop(_TELEMETRY)
        if known is not None:
            sys.modules[_TELEMETRY] = known
