"""Messages about an invalid configuration: the place, the value found, and what is allowed."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from toolkit.config.yaml.named_calls import MissingKeyError, ProblemsAtError, UnknownNameError
from toolkit.config.yaml.wrong_keys import wrong_key
from toolkit.config.yaml.yaml_files import Document, KeyPath, Position, nearest_position
from toolkit.errors import choices_once, not_valid

_EXPECTED = {
    "bool_type": "true or false",
    "dict_type": "`key: value` pairs",
    "finite_number": "a finite number",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
    "model_type": "`key: value` pairs",
    "none_required": "null",
    "path_type": "a path",
    "string_type": "text",
    "tuple_type": "a list",
}


def describe_problems(
    error: ValidationError | ProblemsAtError, model: type[BaseModel], document: Document, source: str
) -> list[str]:
    """One message for each invalid key, in the order of the lines; each list of valid words occurs once."""
    found = []
    by_key = (
        _nested(error, document.tree, ())
        if isinstance(error, ProblemsAtError)
        else _by_key(error, model, document.tree)
    )
    for key, words in by_key.items():
        position = nearest_position(document.positions, key) or Position(source, 1)
        found.append((position.source, position.line, f"{position}: {'; '.join(dict.fromkeys(words))}"))
    return choices_once(text for _, _, text in sorted(found))


def _by_key(
    error: ValidationError, model: type[BaseModel], tree: Any, prefix: KeyPath = ()
) -> dict[KeyPath, list[str]]:
    """The messages about each key; `prefix` is the key path of the value that the model describes."""
    by_key: dict[KeyPath, list[str]] = {}
    plain: dict[KeyPath, list[ErrorDetails]] = {}
    for details in error.errors():
        if details["type"] == "default_factory_not_called":
            continue  # the key that the default depends on is invalid, and has its own message
        key = _key_of(details, tree)
        nested = details.get("ctx", {}).get("error")
        if isinstance(nested, ProblemsAtError):
            for other, words in _nested(nested, _value_at(tree, key), (*prefix, *key)).items():
                by_key.setdefault(other, []).extend(words)
        else:
            plain.setdefault(key, []).append(details)
    for key, several in plain.items():
        by_key.setdefault((*prefix, *key), []).append(_describe(several, key, prefix, model))
    for key in list(by_key):
        # pydantic counts only the valid entries of a list: the length is wrong only if all entries are valid.
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
            found.setdefault(key, []).append(_describe_nested(key, problem))
    return found


def _describe_nested(key: KeyPath, problem: ValueError) -> str:
    """The message about a key; an unknown name that is the key itself is reported at the key around it."""
    if isinstance(problem, MissingKeyError):
        why = str(problem)
        return f"required key {'.'.join(map(str, key))} is missing{f': {why}' if why else ''}"
    *around, last = key or ("",)
    if isinstance(problem, UnknownNameError) and around and last == problem.received:
        inside = ".".join(map(str, around))
        return f"{inside}: {not_valid(problem.received, problem.allowed)}"
    return f"{'.'.join(map(str, key))}: {_describe_error(problem)}" if key else _describe_error(problem)


def _value_at(tree: Any, path: KeyPath) -> Any:
    """The value at a key path; an empty mapping where arguments were left out."""
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


def _describe(several: Sequence[ErrorDetails], key: KeyPath, prefix: KeyPath, model: type[BaseModel]) -> str:
    """The message about one key, from the errors of all types that its value may have."""
    details = several[0]
    name, kind = ".".join(map(str, (*prefix, *key))), details["type"]
    if kind == "missing" and isinstance(details["loc"][-1], str):
        return f"required key {name} is missing"
    if kind == "extra_forbidden":
        inside = "".join(f"{part}." for part in (*prefix, *key[:-1])).removesuffix(".")
        further = () if len(key) > 1 or prefix else ("extends",)
        return f"{inside + ': ' if inside else ''}key {wrong_key(model, key[:-1], str(key[-1]), further)}"
    return f"{name}: {describe_value(several)}" if name else describe_value(several)


def describe_value(several: Sequence[ErrorDetails]) -> str:
    """The message about one value, from pydantic's errors: one for each type that the value may have."""
    # The errors of a type that matches say more than those of the types that do not.
    chosen = [details for details in several if details["type"] not in (*_EXPECTED, "literal_error")] or several
    details = chosen[0]
    kind, context = details["type"], details.get("ctx", {})
    if "error" in context:
        return _describe_error(context["error"])
    if kind in ("missing", "too_long", "too_short"):
        return _describe_length(chosen)
    if kind not in (*_EXPECTED, "literal_error"):
        return f"{details['msg'].replace('Input should be', 'must be')}, received {received(details['input'])}"
    words = [word for details in chosen if details["type"] == "literal_error" for word in _literals(details)]
    others = [_EXPECTED[details["type"]] for details in chosen if details["type"] in _EXPECTED]
    forms = list(dict.fromkeys([*words, *others]))
    if words and (isinstance(details["input"], str) or not others):
        return f"{not_valid(str(details['input']), words)}{''.join(f', or {other}' for other in others)}"
    return f"expected {_either(forms)}, received {received(details['input'])}"


def _describe_length(several: Sequence[ErrorDetails]) -> str:
    """The message about a list that is too long or too short."""
    details, context = several[0], several[0].get("ctx", {})
    if details["type"] == "missing":  # one error for each missing entry of a list of fixed length
        return f"expected {int(several[-1]['loc'][-1]) + 1} entries, received {len(details['input'])}"
    allowed = context.get("min_length", context.get("max_length"))
    bound = {"too_short": "at least ", "too_long": "at most "}[details["type"]]
    return f"expected {bound}{allowed} {'entry' if allowed == 1 else 'entries'}, received {context['actual_length']}"


def _literals(details: ErrorDetails) -> list[str]:
    return [word.strip().strip("'") for word in details["ctx"]["expected"].replace(" or ", ",").split(",")]


def _either(forms: Sequence[str]) -> str:
    return f"{', '.join(forms[:-1])} or {forms[-1]}" if len(forms) > 1 else forms[0]


def _describe_error(problem: Exception) -> str:
    return not_valid(problem.received, problem.allowed) if isinstance(problem, UnknownNameError) else str(problem)


def received(value: Any) -> str:
    """A value with its kind, for messages."""
    if value is None:
        return "nothing (null)"
    kinds = {str: "text", bool: "true/false", int: "a whole number", float: "a number", tuple: "a list", dict: "pairs"}
    text = repr(list(value) if isinstance(value, tuple) else value)
    kind = kinds.get(type(value))
    return f"{text if len(text) <= 60 else text[:57] + '...'}{f' ({kind})' if kind else ''}"
