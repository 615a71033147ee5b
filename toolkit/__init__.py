"""Image-segmentation competitions from one YAML file; from Python: `from toolkit import Experiment`."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toolkit.api.experiment import Experiment
    from toolkit.errors import ToolkitError

__all__ = ["Experiment", "ToolkitError"]

_WHERE = {"Experiment": "toolkit.api.experiment", "ToolkitError": "toolkit.errors"}


def __getattr__(name: str) -> Any:
    """What is public, imported when it is first asked for: importing the package alone costs nothing."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    """What is public."""
    return __all__
