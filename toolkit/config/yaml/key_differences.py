"""Differences between configurations as nested plain data: mappings, lists and single values, under dotted keys."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Absent(Enum):
    """Stands for the value of a key that is missing; None is a value."""

    ABSENT = "–"


ABSENT = Absent.ABSENT
_ORDER = " (order)"


@dataclass(frozen=True)
class KeyDifference:
    """A dotted key (for example `stages.0.lr`) whose value is not the same in all trees, and its value in each."""

    key: str
    values: tuple[Any, ...]


def differences(trees: Sequence[Mapping[str, Any]], *, with_order: bool = True) -> list[KeyDifference]:
    """Compare trees of mappings with text keys, lists or tuples, and single values.

    The numbers 1 and 1.0 are equal; other values of different types differ (for example true and 1). If a key is
    missing in one tree, a mapping or list in another tree is reported as one value; its entries are compared among the
    trees that have the key.

    Args:
        trees: to compare.
        with_order: report nested mappings whose common keys are in different order, under `KEY (order)`; the order of
            augmentations matters, for example. The order of the keys of the trees themselves is never compared.

    Returns:
        In the order in which keys first occur.
    """
    found = _differing("", list(trees)) if trees else []
    return found if with_order else [difference for difference in found if not difference.key.endswith(_ORDER)]


def written(value: Any) -> str:
    """A value in one line, in YAML's flow style; null entries of mappings are left out."""
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
        found = [KeyDifference(f"{key}{_ORDER}", tuple(shown))]
    return found + _differing_parts(key, values)


def _differing_parts(key: str, values: list[Any]) -> list[KeyDifference]:
    """Differences between the entries; a tree that is absent here is absent in each of them."""
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
