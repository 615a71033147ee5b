"""Where nested plain data differ: mappings, lists and single values, under dotted keys."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Absent(Enum):
    """What stands for a value where there is none; None is a value."""

    ABSENT = "–"


ABSENT = Absent.ABSENT


@dataclass(frozen=True)
class KeyDifference:
    """A key whose value is not the same everywhere, such as `stages.0.lr`, and its value in each tree."""

    key: str
    values: tuple[Any, ...]


def differences(trees: Sequence[Mapping[str, Any]]) -> list[KeyDifference]:
    """Compare trees of mappings with text keys, lists or tuples, and single values.

    A whole number equals the same number with a fraction of 0; otherwise values of different types differ, also true
    and 1. Where a tree has no such key, a mapping or list is one value, not many; what the others have inside is
    compared too. Mappings whose common keys stand in another order differ under `KEY (order)`: for augmentation, say,
    the order matters; that of the trees themselves does not.

    Returns:
        In the order in which keys first occur.
    """
    return _differing("", list(trees))


def written(value: Any) -> str:
    """A value in one line, as YAML would write it; entries that are null are left out of mappings."""
    if isinstance(value, Absent):
        return value.value
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        inner = ", ".join(f"{key}: {written(entry)}" for key, entry in value.items() if entry is not None)
        return f"{{{inner}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(written, value))}]"
    return str(value)


def _differing(key: str, values: list[Any]) -> list[KeyDifference]:
    present = [value for value in values if value is not ABSENT]
    found = [KeyDifference(key, tuple(values))] if len(present) < len(values) else []
    if all(isinstance(value, Mapping) for value in present):
        return found + _differing_mappings(key, values, present)
    if all(isinstance(value, list | tuple) for value in present):
        return found + _differing_parts(key, [_numbered(value) for value in values])
    if not found and not all(_same(value, values[0]) for value in values):
        found = [KeyDifference(key, tuple(values))]
    return found


def _differing_mappings(key: str, values: list[Any], present: Sequence[Mapping[str, Any]]) -> list[KeyDifference]:
    everywhere = set(present[0]).intersection(*present)
    orders = [[part for part in value if part in everywhere] for value in present]
    found = []
    if key and any(order != orders[0] for order in orders):
        shown = (ABSENT if value is ABSENT else ", ".join(value) for value in values)
        found = [KeyDifference(f"{key} (order)", tuple(shown))]
    return found + _differing_parts(key, values)


def _differing_parts(key: str, values: list[Any]) -> list[KeyDifference]:
    """Those of the entries; a tree that is absent as a whole has been told and counts as absent below."""
    parts = dict.fromkeys(part for value in values if value is not ABSENT for part in value)
    there = [value is not ABSENT for value in values]
    found = []
    for part in parts:
        inner = [value.get(part, ABSENT) for value in values if value is not ABSENT]
        for difference in _differing(f"{key}.{part}" if key else str(part), inner):
            rest = iter(difference.values)
            found.append(KeyDifference(difference.key, tuple(next(rest) if here else ABSENT for here in there)))
    return found


def _numbered(value: Any) -> Any:
    return ABSENT if value is ABSENT else {str(place): entry for place, entry in enumerate(value)}


def _same(one: Any, other: Any) -> bool:
    """Whether two values, of which at least one is neither a mapping nor a list, are the same."""
    numbers = isinstance(one, int | float) and isinstance(other, int | float)
    if numbers and not isinstance(one, bool) and not isinstance(other, bool):
        return bool(one == other)
    return type(one) is type(other) and bool(one == other)
