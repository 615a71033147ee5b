"""Plain data: values at key paths, and the merging of mappings."""

from collections.abc import Mapping
from copy import copy
from typing import Any

from toolkit.config.yaml.yaml_files import KeyPath, Replacing
from toolkit.errors import ConfigError


def merged(parent: Mapping[str, Any], child: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of the child take precedence.

    Mappings are merged key by key, unless those of the child are marked as replacing; everything else is replaced.
    """
    result = dict(parent)
    for key, value in child.items():
        both = isinstance(result.get(key), dict) and isinstance(value, dict) and not isinstance(value, Replacing)
        result[key] = merged(result[key], value) if both else value
    return result


def is_replaced(key: KeyPath, child: Any) -> bool:
    """Whether a key of the parent is inside a value that the child replaces as a whole."""
    for part in key[:-1]:
        child = child.get(part, {})
        if not isinstance(child, dict) or isinstance(child, Replacing):
            return True
    return False


def value_at(tree: Any, key: KeyPath) -> Any:
    """The value at a key path; None where there is none."""
    for part in key:
        if isinstance(tree, tuple):
            tree = tree[part] if isinstance(part, int) and part < len(tree) else None
        else:
            tree = tree.get(str(part)) if isinstance(tree, dict) else None
    return tree


def as_in(tree: Any, key: KeyPath) -> KeyPath:
    """A key path as in the tree: numbers are entries of lists, but names in mappings."""
    found: KeyPath = ()
    for part in key:
        part_here = part if isinstance(tree, tuple) else str(part)
        found, tree = (*found, part_here), tree[part_here]
    return found


def replaced(tree: Any, key: KeyPath, value: Any, source: str) -> Any:
    """A copy of the tree with one value set; missing mappings are created, list entries must exist."""
    if not key:
        return value
    if tree is not None and not isinstance(tree, dict | tuple):
        raise ConfigError(f"{source}: cannot set {key[0]!r} in {tree!r}, which is a single value")
    head, rest = key[0], key[1:]
    if isinstance(tree, tuple):
        if not isinstance(head, int) or head >= len(tree):
            entries = f"has entries 0 to {len(tree) - 1}" if tree else "is empty"
            raise ConfigError(f"{source}: {head!r} is not an entry of this list, which {entries}")
        return (*tree[:head], replaced(tree[head], rest, value, source), *tree[head + 1 :])
    branch = copy(tree) if isinstance(tree, dict) else {}  # a mapping that replaces remains one
    branch[str(head)] = replaced(branch.get(str(head)), rest, value, source)
    return branch
