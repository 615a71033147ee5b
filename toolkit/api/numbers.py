"""Numbers of folds and stages as Python gives them."""

from collections.abc import Iterable, Sequence
from operator import index
from typing import SupportsIndex

from toolkit.errors import ConfigError

Folds = int | Sequence[int] | None
"""One fold, several folds, or None for all."""


def as_numbers(name: str, numbers: Folds) -> Sequence[int] | None:
    """The numbers of a list, or of one number; None for None. Raises as `as_number`."""
    if numbers is None:
        return None
    several = numbers if isinstance(numbers, Iterable) and not isinstance(numbers, str) else [numbers]
    return [as_number(name, number) for number in several]


def as_number(name: str, number: SupportsIndex) -> int:
    """A whole number of any type, for example of NumPy; `name` is that of the argument.

    Raises:
        ConfigError: it is not a whole number.
    """
    try:
        return index(number)
    except TypeError as error:
        raise ConfigError(f"{name}: expected whole numbers; received {number!r}") from error
