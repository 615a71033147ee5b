"""Names with arguments in config.yaml, for example `EarlyStopping: {patience: 15}`."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from toolkit.config.yaml.closed_model import ClosedModel
from toolkit.config.yaml.yaml_files import KeyPath

Arguments = TypeVar("Arguments", bound=ClosedModel)
Result = TypeVar("Result")


class UnknownNameError(ValueError):
    """An invalid word; carries the allowed ones, so that the message can suggest the nearest."""

    def __init__(self, received: str, allowed: Sequence[str]) -> None:
        super().__init__(received)
        self.received = received
        self.allowed = tuple(allowed)


class MissingKeyError(ValueError):
    """A required key is missing; the text, if any, says why it is required."""


Problem = tuple[KeyPath, ValueError, type[BaseModel] | None]
"""A key path below a value, the error there, and the model that raised it if the error is a `ValidationError`."""


class ProblemsAtError(ValueError):
    """Problems inside a value, each with its key path below the value."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(f"{'.'.join(map(str, path))}: {error}" for path, error, _ in problems))
        self.problems = tuple(problems)


def problem_at(path: KeyPath, text: str) -> ProblemsAtError:
    """One problem, at a key path below the value."""
    return ProblemsAtError([(path, ValueError(text), None)])


def unknown_at(path: KeyPath, name: str, allowed: Sequence[str]) -> ProblemsAtError:
    """An unknown name, at a key path below the value."""
    return ProblemsAtError([(path, UnknownNameError(name, allowed), None)])


def read_all(readers: Iterable[Callable[[], Result]]) -> list[Result]:
    """The results of all readers.

    Raises:
        ProblemsAtError: the problems of all readers that failed.
    """
    found: list[Result] = []
    problems: list[Problem] = []
    for read in readers:
        try:
            found.append(read())
        except ProblemsAtError as error:
            problems.extend(error.problems)
    if problems:
        raise ProblemsAtError(problems)
    return found


@dataclass(frozen=True)
class Call:
    """A name with its arguments, and its key path below the value."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    path: KeyPath = ()


def read_calls(value: Any) -> tuple[Call, ...]:
    """Read `Name`, `{Name: {argument: value}, …}`, `{name: Name, argument: value, …}`, or a list of these.

    Each entry of a list names one thing.

    Raises:
        ValueError: the value has another form; a `ProblemsAtError` where the key path is known.
    """
    if isinstance(value, str):
        return (Call(value),)
    if isinstance(value, Mapping):
        flat = _flat(value, ())
        return (flat,) if flat else tuple(_call(name, arguments, (name,)) for name, arguments in value.items())
    if isinstance(value, list | tuple):
        return tuple(_entry(entry, index) for index, entry in enumerate(value))
    raise ValueError(f"expected a name, `Name: {{argument: value}}` pairs, or a list of these; received {value!r}")


def read_call(value: Any) -> Call:
    """Read exactly one call.

    Raises:
        ValueError: as `read_calls`, or there is not exactly one name.
    """
    calls = read_calls(value)
    if len(calls) != 1:
        raise ValueError(f"expected one name, received {', '.join(call.name for call in calls) or 'nothing'}")
    return calls[0]


def _entry(entry: Any, index: int) -> Call:
    if isinstance(entry, str):
        return Call(entry, {}, (index,))
    flat = _flat(entry, (index,)) if isinstance(entry, Mapping) else None
    if flat:
        return flat
    if not isinstance(entry, Mapping) or len(entry) != 1:
        raise problem_at((index,), "expected a name or one `Name: {argument: value}` pair")
    ((name, arguments),) = entry.items()
    return _call(name, arguments, (index, name))


def _flat(value: Mapping[str, Any], path: KeyPath) -> Call | None:
    """The call `{name: Name, argument: value}`; None for another mapping."""
    name = value.get("name")
    if not isinstance(name, str):
        return None
    return Call(name, {key: argument for key, argument in value.items() if key != "name"}, path)


def _call(name: str, arguments: Any, path: KeyPath) -> Call:
    if arguments is None:
        return Call(name, {}, path)
    if not isinstance(arguments, Mapping):
        raise problem_at(path, f"expected `argument: value` pairs, received {arguments!r}")
    return Call(name, arguments, path)


def is_plugin(name: str, plugins: Collection[str]) -> bool:
    """Whether a name is user code: defined in plugins.py, or a dotted path (`package.module.name`)."""
    return name in plugins or ("." in name and all(part.isidentifier() for part in name.split(".")))


def checked_arguments(call: Call, model: type[Arguments]) -> Arguments:
    """Validate the arguments of a call.

    Raises:
        ProblemsAtError: an argument is unknown, missing or invalid.
    """
    try:
        return model.model_validate(dict(call.arguments))
    except ValidationError as error:
        raise ProblemsAtError([(call.path, error, model)]) from error


def checked_call(call: Call, kinds: Mapping[str, type[Arguments]], plugins: Collection[str] = ()) -> Arguments | None:
    """Validate a call of one of the known kinds; None for a plugin, whose arguments are checked when it is loaded.

    Raises:
        ProblemsAtError: the name is unknown, or an argument is unknown, missing or invalid.
    """
    if call.name in kinds:
        return checked_arguments(call, kinds[call.name])
    if is_plugin(call.name, plugins):
        return None
    raise unknown_at(call.path, call.name, [*kinds, *plugins])
