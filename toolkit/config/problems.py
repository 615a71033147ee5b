"""What is wrong with a configuration, in words: where, what came, what is allowed, the nearest valid word."""

import difflib
from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from toolkit.config.calls import ProblemsAtError, UnknownNameError
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
    found = []
    for key, words in _by_key(error, model, document.tree).items():
        position = _position(key, document, source)
        found.append((position.source, position.line, f"{position}: {' or '.join(dict.fromkeys(words))}"))
    return [text for _, _, text in sorted(found)]


def _by_key(
    error: ValidationError, model: type[BaseModel], tree: Any, prefix: KeyPath = ()
) -> dict[KeyPath, list[str]]:
    """What is wrong with each key; `prefix` leads to the part of the file that the model describes."""
    by_key: dict[KeyPath, list[str]] = {}
    for details in error.errors():
        key = _key_of(details, tree)
        nested = details.get("ctx", {}).get("error")
        if isinstance(nested, ProblemsAtError):
            for other, words in _nested(nested, _value_at(tree, key), (*prefix, *key)).items():
                by_key.setdefault(other, []).extend(words)
        else:
            by_key.setdefault((*prefix, *key), []).append(_describe(details, key, prefix, model))
    for key in list(by_key):
        # A list counts only its sound entries: its length is wrong only if no entry is.
        if any(other[: len(key)] == key for other in by_key if len(other) > len(key)):
            del by_key[key]
    return by_key


def _nested(error: ProblemsAtError, tree: Any, prefix: KeyPath) -> dict[KeyPath, list[str]]:
    found: dict[KeyPath, list[str]] = {}
    for path, problem, model in error.problems:
        key = (*prefix, *path)
        if isinstance(problem, ValidationError) and model is not None:
            found.update(_by_key(problem, model, _value_at(tree, path), key))
        else:
            found.setdefault(key, []).append(f"{'.'.join(map(str, key))}: {_describe_error(problem)}")
    return found


def _value_at(tree: Any, path: KeyPath) -> Any:
    """The part of plain data that a path leads to; an empty mapping where the arguments were left out."""
    for part in path:
        inside = part in tree if isinstance(tree, dict) else isinstance(tree, tuple) and part in range(len(tree))
        if not inside:
            return {}
        tree = tree[part]
    return tree


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


def _describe(details: ErrorDetails, key: KeyPath, prefix: KeyPath, model: type[BaseModel]) -> str:
    name, kind = ".".join(map(str, (*prefix, *key))), details["type"]
    if kind == "missing" and isinstance(details["loc"][-1], str):
        return f"the key {name} is missing"
    if kind == "extra_forbidden":
        inside = ".".join(map(str, (*prefix, *key[:-1])))
        keys = [*_keys_at(model, key[:-1]), *(() if len(key) > 1 or prefix else ("extends",))]
        return f"unknown key {str(key[-1])!r}{' in ' + inside if inside else ''}; {_nearest(str(key[-1]), keys)}"
    return f"{name}: {_describe_value(details)}"


def _describe_value(details: ErrorDetails) -> str:
    kind, context = details["type"], details.get("ctx", {})
    if kind == "literal_error":
        allowed = [word.strip().strip("'") for word in context["expected"].replace(" or ", ",").split(",")]
        return f"unknown value {details['input']!r}; {_nearest(str(details['input']), allowed)}"
    problem = context.get("error")
    if problem is not None:
        return _describe_error(problem)
    if kind in ("missing", "too_long", "too_short"):
        return "the list has the wrong number of entries"
    expected = _EXPECTED.get(kind, details["msg"].replace("Input should be", "must be"))
    return f"{expected}, received {_received(details['input'])}"


def _describe_error(problem: Exception) -> str:
    if isinstance(problem, UnknownNameError):
        return f"unknown name {problem.received!r}; {_nearest(problem.received, problem.allowed)}"
    return str(problem)


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
    return list(model.model_fields)


def _flat(annotation: Any) -> list[Any]:
    return [annotation, *(inner for argument in get_args(annotation) for inner in _flat(argument))]
