"""Arguments of the functions and methods for Python: numbers of folds, times, what shows progress."""

from collections.abc import Iterable, Sequence
from operator import index
from pathlib import Path
from typing import Literal, SupportsIndex

from toolkit.config.yaml.fields import parse_duration
from toolkit.console import progress_if_watched
from toolkit.errors import ConfigError
from toolkit.files.experiment.workspace import Workspace
from toolkit.messages import Progress, Silent

Folds = int | Sequence[int] | None
"""One fold, several folds, or None for all."""

Shown = Progress | Literal[False] | None
"""What shows progress: None for the terminal or notebook, if there is one; False for nothing."""


def folder_and_root(path: str | Path) -> tuple[Path, Path]:
    """The folder of an experiment, given itself or its configuration, and the working folder that it belongs to."""
    folder = Path(path).parent if Path(path).suffix in (".yaml", ".json") else Path(path)
    # Submissions are written beside the folder of all experiments, whatever the current folder.
    inside = folder.absolute().parent
    return folder, inside.parent if inside.name == Workspace(Path()).experiments.name else Path()


def as_progress(shown: Shown) -> Progress:
    """What shows progress; by default the terminal or notebook, if there is one."""
    if shown is None:
        return progress_if_watched()
    return shown or Silent()


def seconds(name: str, time: str | None) -> float | None:
    """The seconds of a time such as `1h30m`.

    Raises:
        ConfigError: the text is not a time.
    """
    try:
        return None if time is None else parse_duration(time)
    except ValueError as error:
        raise ConfigError(f"{name}: {error}") from error


def numbers(name: str, given: Folds) -> Sequence[int] | None:
    """Whole numbers of any type, for example of NumPy.

    Raises:
        ConfigError: something is not a whole number.
    """
    if given is None:
        return None
    several = given if isinstance(given, Iterable) and not isinstance(given, str) else [given]
    return [number(name, one) for one in several]


def number(name: str, given: SupportsIndex) -> int:
    """One whole number; raises as `numbers`."""
    try:
        return index(given)
    except TypeError as error:
        raise ConfigError(f"{name}: expected whole numbers; received {given!r}") from error
