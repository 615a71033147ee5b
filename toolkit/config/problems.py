"""What is wrong with a configuration, in words: where, what came, what is allowed, the nearest valid word."""

import difflib
from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from toolkit.config.models import UnknownNameError
from toolkit.config.yaml_files import Document, KeyPath, Position

_EXPECTED = {
    "bool_type": "expected true or false",
    "dict_type": "expected `key: value` pairs",
    "finite_number": "expected a finite number",
    "float_type": "expected a number",
    "int_from_float": "expected a whole number",
    "int_type": "expected a whole number",
    "model_type": "expected `key: value` pairs",
    "none_required": "expected null",
    "path_type": "expected a path",
    "string_type": "expected text",
    "tuple_type": "expected a list",
}


def describe_problems(error: ValidationError, model: type[BaseModel], document: Document, source: str) -> list[str]:
    """One text for each wrong key, in the order of the lines."""
    by_key: dict[KeyPath, list[ErrorDetails]] = {}
    for details in error.errors():
        by_key.setdefault(_key_of(details, document.tree), []).append(details)
    for key in list(by_key):
        # A list counts only its sound entries: its length is wrong only if no entry is.
        if any(other[: len(key)] == key for other in by_key if len(other) > len(key)):
            del by_key[key]
    found = []
    for key, several in by_key.items():
        position = _position(key, document, source)
        words = " or ".join(dict.fromkeys(_describe(details, key, model) for details in several))
        found.append((position.source, position.line, f"{position}: {words}"))
    return [text for _, _, text in sorted(found)]


def _key_of(details: ErrorDetails, tree: Any) -> KeyPath:
    """The key path in the file: pydantic's location without the names of union members."""
    key: KeyPath = ()
    for part in details["loc"]:
        inside = part in tree if isinstance(tree, dict) else isinstance(tree, tuple) and part in range(len(tree))
        if not inside:
            if details["type"] == "missing" and isinstance(part, str):
                return (*key, part)
            continue
        key, tree = (*key, part), tree[part]
    return key


def _position(key: KeyPath, document: Document, source: str) -> Position:
    while key:
        if key in document.positions:
            return document.positions[key]
        key = key[:-1]
    return Position(source, 1)


def _describe(details: ErrorDetails, key: KeyPath, model: type[BaseModel]) -> str:
    name, kind = ".".join(map(str, key)), details["type"]
    if kind == "missing" and isinstance(details["loc"][-1], str):
        return f"the key {name} is missing"
    if kind == "extra_forbidden":
        inside = ".".join(map(str, key[:-1]))
        keys = _keys_at(model, key[:-1])
        return f"unknown key {str(key[-1])!r}{' in ' + inside if inside else ''}; {_nearest(str(key[-1]), keys)}"
    return f"{name}: {_describe_value(details)}"


def _describe_value(details: ErrorDetails) -> str:
    kind, context = details["type"], details.get("ctx", {})
    if kind == "literal_error":
        allowed = [word.strip().strip("'") for word in context["expected"].replace(" or ", ",").split(",")]
        return f"unknown value {details['input']!r}; {_nearest(str(details['input']), allowed)}"
    problem = context.get("error")
    if isinstance(problem, UnknownNameError):
        return f"unknown name {problem.received!r}; {_nearest(problem.received, problem.allowed)}"
    if problem is not None:
        return str(problem)
    if kind in ("missing", "too_long", "too_short"):
        return "the list has the wrong number of entries"
    expected = _EXPECTED.get(kind, details["msg"].replace("Input should be", "must be"))
    return f"{expected}, received {_received(details['input'])}"


def _received(value: Any) -> str:
    kinds = {str: "text", bool: "true/false", int: "a whole number", float: "a number", tuple: "a list", dict: "pairs"}
    text = repr(list(value) if isinstance(value, tuple) else value)
    kind = kinds.get(type(value))
    return f"{text if len(text) <= 60 else text[:57] + '...'}{f' ({kind})' if kind else ''}"


def _nearest(word: str, allowed: Sequence[str]) -> str:
    near = difflib.get_close_matches(word.lower(), [name.lower() for name in allowed], n=1)
    guess = next((name for name in allowed if near and name.lower() == near[0]), None)
    return f"{f'did you mean {guess!r}? ' if guess else ''}Allowed: {', '.join(allowed)}"


def _keys_at(model: type[BaseModel], key: KeyPath) -> list[str]:
    """The keys that a nested model knows."""
    for part in key:
        if isinstance(part, int):
            continue
        annotation = model.model_fields[part].annotation
        model = next(kind for kind in _flat(annotation) if isinstance(kind, type) and issubclass(kind, BaseModel))
    return [*model.model_fields, *(["extends"] if not key else [])]


def _flat(annotation: Any) -> list[Any]:
    return [annotation, *(inner for argument in get_args(annotation) for inner in _flat(argument))]
