"""The classes of the task and the reader of its masks, from the keys of `data`."""

from collections.abc import Mapping

from toolkit.config.data.competitions import Competition
from toolkit.config.data.data import IGNORED_NAME, DataConfig, SourceKeys
from toolkit.core.masks.labels import Activation, Classes
from toolkit.core.masks.mask_codings import ByBit, ByChannel, ByColour, ByObject, ByRange, ByValue, Coding
from toolkit.core.metrics.registry import ScoringRules

_BACKGROUND = "background"


def is_background(name: str) -> bool:
    """Whether a class is the background by its name."""
    return name.lower() == _BACKGROUND


def class_names(classes: int | tuple[str, ...]) -> tuple[str, ...]:
    """The names of the classes; `class0`, `class1`, … where only their number is known."""
    if isinstance(classes, tuple):
        return classes
    return ("foreground",) if classes == 1 else tuple(f"class{number}" for number in range(classes))


def names_in(data: DataConfig) -> tuple[str, ...]:
    """The classes that `data` names: those of the competition, or those with values, colours or ranges; may be empty.

    A background is added in front if pixels may belong to none of the named classes.
    """
    named = data.named
    if data.table_format.classes or named is None:
        return data.table_format.classes
    names = tuple(name for name in named if name != IGNORED_NAME)
    if data.encoding in ("bits", "channels") or len(names) < 2 or any(map(is_background, names)):
        return names
    rest = data.value_ranges is not None or (
        data.colors is None and not any(0 in _listed(one) for one in named.values())
    )
    return (_BACKGROUND, *names) if rest else names


def submitted_classes(competition: Competition | None, classes: Classes) -> tuple[int, ...] | None:
    """The indices of the classes whose masks are rows of a competition, in its order; the background never is one.

    All but the background if rows have no class; None without a competition, or if no class is one of the competition.
    """
    if competition is None:
        return None
    first = 1 if classes.activation == "softmax" and classes.count > 1 else 0
    foreground = classes.names[first:]
    if not competition.classes:
        return tuple(range(first, classes.count))
    return tuple(classes.names.index(name) for name in competition.classes if name in foreground) or None


def scoring_rules(data: DataConfig, classes: Classes, benchmark: str | None) -> ScoringRules:
    """What metrics count; `benchmark` is the name of the only one that the primary metric counts."""
    index = None if benchmark is None else classes.names.index(benchmark)
    stack = None if data.competition is None else data.competition.stack
    return ScoringRules(submitted_classes(data.competition, classes), index, stack, data.competition is not None)


def task_classes(classes: int | tuple[str, ...], activation: Activation, data: SourceKeys) -> Classes:
    """The classes of a task, with their numbers in masks that were read by `coding_of`."""
    names = class_names(classes)
    ignore = () if data.ignore is None else _listed(data.ignore)
    if data.encoding != "values":  # planes have no numbers
        return Classes(names, activation, None if len(names) == 1 else tuple(() for _ in names), ignore)
    if data.named is None:
        return Classes(names, activation, _values(names, activation, data), ignore)
    numbers, ignored = _numbers(names, data)
    values = [numbers.get(name, ()) for name in names]
    others = tuple(value for name, several in numbers.items() if name not in names for value in several)
    if data.colors is not None or data.value_ranges is not None:
        others = (*others, 0)
    if activation == "softmax":
        taken = {value for several in (*values, others, ignored, ignore) for value in several}
        values[0] = (*values[0], *others, *(() if values[0] or 0 in taken else (0,)))
        others = ()
    return Classes(names, activation, tuple(values), (*ignore, *ignored), others)


def coding_of(classes: Classes, data: SourceKeys) -> Coding:
    """The reader of the mask files of a source, for the classes that `task_classes` returns."""
    if data.encoding == "instances":
        return ByObject(classes.ignore)
    if data.encoding == "bits":
        numbers = _planes(classes, data, 1 if classes.activation == "softmax" else 0)
        return ByBit(numbers, _ignore_numbers(classes, data))
    if data.encoding == "channels":
        return ByChannel(_planes(classes, data, 0), _ignore_numbers(classes, data))
    if data.colors is not None:
        whole = classes.activation == "softmax" and classes.names[0] in data.colors
        nearest = bool(data.nearest_color)
        return ByColour(tuple(data.colors.values()), tuple(data.colors), classes.count == 1, not whole, nearest)
    if data.value_ranges is not None:
        ignored = tuple(data.value_ranges[name] for name in _ignore_names(classes.names, data))
        return ByRange(tuple(data.value_ranges[name] for name in classes.names if name in data.value_ranges), ignored)
    return ByValue()


def _values(names: tuple[str, ...], activation: Activation, data: SourceKeys) -> tuple[tuple[int, ...], ...] | None:
    if isinstance(data.mask_values, tuple):
        return tuple(_listed(value) for value in data.mask_values)
    if len(names) == 1:
        return None
    first = 0 if activation == "softmax" else 1
    return tuple((number,) for number in range(first, first + len(names)))


def _numbers(names: tuple[str, ...], data: SourceKeys) -> tuple[dict[str, tuple[int, ...]], tuple[int, ...]]:
    """The numbers of each class name, and those of ignored pixels."""
    ignored = _ignore_names(names, data)
    if data.value_ranges is not None:
        shown = [name for name in names if name in data.value_ranges]
        numbers: dict[str, tuple[int, ...]] = {name: (number,) for number, name in enumerate(shown, start=1)}
        return numbers, (len(shown) + 1,) if ignored else ()
    if data.colors is not None:
        numbers = {name: (number,) for number, name in enumerate(data.colors, start=1)}
    else:
        numbers = {name: _listed(value) for name, value in (data.named or {}).items()}
    return (
        {name: several for name, several in numbers.items() if name not in ignored},
        tuple(value for name in ignored for value in numbers[name]),
    )


def _ignore_names(names: tuple[str, ...], data: SourceKeys) -> list[str]:
    return [name for name in data.named or () if name == IGNORED_NAME and name not in names]


def _planes(classes: Classes, data: SourceKeys, first: int) -> tuple[int, ...]:
    """The bit or channel of each class except a background; the default counts from class number `first`."""
    background = 1 if classes.activation == "softmax" else 0
    shown = classes.names[background:]
    if isinstance(data.mask_values, Mapping):
        return tuple(_listed(data.mask_values[name])[0] for name in shown)
    if data.mask_values is not None:
        return tuple(_listed(value)[0] for value in data.mask_values)[-len(shown) :]
    return tuple(range(background - first, background - first + len(shown)))


def _ignore_numbers(classes: Classes, data: SourceKeys) -> tuple[int, ...]:
    named = data.mask_values if isinstance(data.mask_values, Mapping) else {}
    return (*classes.ignore, *(_listed(named[name])[0] for name in _ignore_names(classes.names, data)))


def _listed(value: int | tuple[int, ...]) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (value,)
