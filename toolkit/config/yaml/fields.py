"""Types of values that several models of config.yaml share."""

import math
import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, Strict, ValidationInfo

from toolkit.config.yaml.named_calls import UnknownNameError
from toolkit.config.yaml.plugin_names import PluginNames

FilePath = Annotated[Path, Strict(False), PlainSerializer(lambda path: path.as_posix(), return_type=str)]
Count = Annotated[int, Field(ge=0, le=1_000_000)]
PositiveInteger = Annotated[int, Field(gt=0, le=1_000_000)]
FiniteNumber = Annotated[float, Field(ge=-1e30, le=1e30, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
PositiveNumber = Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
ShareBelowOne = Annotated[float, Field(ge=0, lt=1)]
InnerShare = Annotated[float, Field(gt=0, lt=1)]
"""A share above 0 and below 1."""
Side = Annotated[int, Field(gt=0, le=16_384)]
"""A side of the input of a network, in pixels."""
Channels = Annotated[int, Field(gt=0, le=1_024)]
Filters = Annotated[int, Field(gt=0, le=16_384)]
"""How many channels a layer of a network makes."""
KernelSize = Annotated[int, Field(gt=0, le=127)]
Repeats = Annotated[int, Field(gt=0, le=64)]
"""How many layers of a kind follow each other."""
Shape = tuple[Side, Side, Channels]
Named = Annotated[str | dict[str, Any] | tuple[Any, ...], Field(union_mode="left_to_right")]
"""Names with arguments: `Name`, `{Name: {argument: value}}`, or a list of these."""


def plugin_names(info: ValidationInfo) -> Collection[str]:
    """The names that the plugins.py beside the configuration defines, sorted."""
    names = (info.context or {}).get("plugins", ())
    return names if isinstance(names, PluginNames) else sorted(names)


def checked_by(parse: Callable[..., Any]) -> BeforeValidator:
    """Leave a value as it is if `parse(value, plugins)` accepts it.

    The check runs before the types are checked, so that its message can name the forms that this key accepts.
    """

    def check(value: Any, info: ValidationInfo) -> Any:
        parse(value, plugin_names(info))
        return value

    return BeforeValidator(check)


def one_of(allowed: tuple[str, ...]) -> AfterValidator:
    """Reject all other words, and suggest the nearest."""

    def check(name: str) -> str:
        if name not in allowed:
            raise UnknownNameError(name, allowed)
        return name

    return AfterValidator(check)


_NUMBER = r"([0-9]+(?:\.[0-9]+)?)"
_DURATION = re.compile(rf"(?:{_NUMBER}h)?\s*(?:{_NUMBER}m)?\s*(?:{_NUMBER}s)?")
_SECONDS = (3600, 60, 1)


def parse_duration(text: str) -> float:
    """Read a duration (`8h`, `90m`, `1h30m` or `45s`: hours, minutes and seconds in this order) in seconds.

    Raises:
        ValueError: the text has another form or no unit, or the duration is zero.
    """
    match = _DURATION.fullmatch(text.strip())
    numbers = match.groups() if match else ()
    seconds = sum(float(number) * unit for number, unit in zip(numbers, _SECONDS, strict=False) if number)
    if not 0 < seconds < math.inf:
        raise ValueError(f"expected a duration with units (for example 8h, 90m, 1h30m or 45s), received {text!r}")
    return seconds
