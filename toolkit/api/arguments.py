"""Arguments of the functions and methods for Python: numbers of folds, times, what shows progress."""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from operator import index
from pathlib import Path
from types import FunctionType
from typing import Literal, ParamSpec, SupportsIndex, TypeVar

from toolkit.config.yaml.fields import parse_duration
from toolkit.console import progress_if_watched
from toolkit.errors import ConfigError, ToolkitError
from toolkit.files.experiment.workspace import Workspace
from toolkit.messages import Progress, Silent

Folds = int | Sequence[int] | None
"""One fold, several folds, or None for all."""

Shown = Progress | Literal[False] | None
"""What shows progress: None for the terminal or notebook, if there is one; False for nothing."""

_Parameters = ParamSpec("_Parameters")
_Value = TypeVar("_Value")
_Class = TypeVar("_Class", bound=type)

_OPTION = re.compile(r"--([a-z]+(?:-[a-z]+)*)")
_NAMES = {"set": "overrides", "format": "formats", "min_area": "minimum_area", "tta": "views"}
"""Arguments that are not called like their option."""


def in_python(function: Callable[_Parameters, _Value]) -> Callable[_Parameters, _Value]:
    """A function whose errors name arguments where those of its command name options; its overrides are a list."""

    @wraps(function)
    def called(*arguments: _Parameters.args, **named: _Parameters.kwargs) -> _Value:
        overrides = named.get("overrides")
        if isinstance(overrides, str):
            raise ConfigError(
                f"overrides: expected a list, for example [{overrides!r}]; received the text {overrides!r}"
            )
        try:
            return function(*arguments, **named)
        except ToolkitError as error:
            error.message, error.advice = _with_arguments(error.message), _with_arguments(error.advice)
            error.args = (error.message,)
            raise

    return called


def methods_in_python(kind: _Class) -> _Class:
    """A class whose public methods are `in_python`."""
    for name, value in list(vars(kind).items()):
        if isinstance(value, FunctionType) and not name.startswith("_"):
            setattr(kind, name, in_python(value))
    return kind


def _with_arguments(text: str) -> str:
    """A message with the names of arguments in the place of options, except in commands to type (`tk …`)."""
    return "\n".join(
        line if re.search(r"\btk [a-z]", line) else _OPTION.sub(_argument, line) for line in text.split("\n")
    )


def _argument(option: re.Match[str]) -> str:
    name = option[1].replace("-", "_")
    return _NAMES.get(name, name)


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
