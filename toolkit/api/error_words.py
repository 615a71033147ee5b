"""Errors of commands in the words of Python: arguments in the place of options."""

import re
from collections.abc import Callable
from functools import wraps
from types import FunctionType
from typing import ParamSpec, TypeVar

from toolkit.errors import ConfigError, ToolkitError, as_told

_Parameters = ParamSpec("_Parameters")
_Value = TypeVar("_Value")
_Class = TypeVar("_Class", bound=type)

_OPTION = re.compile(r"(?<![\w-])--([a-z]+(?:-[a-z]+)*)")
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
            try:
                return function(*arguments, **named)
            except BaseException as error:
                told = as_told(error)
                if told is None:
                    raise
                raise told from error
        except ToolkitError as error:
            error.message, error.advice = _with_arguments(error.message), _with_arguments(error.advice)
            error.args = (error.message,)
            raise

    return called


def methods_in_python(kind: _Class) -> _Class:
    """A class whose public methods, and whose creation, are `in_python`."""
    for name, value in list(vars(kind).items()):
        if isinstance(value, FunctionType) and (name == "__init__" or not name.startswith("_")):
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
