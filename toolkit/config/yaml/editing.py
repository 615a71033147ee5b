"""Changing a YAML text in place: comments, order and quotes of what does not change are kept."""

import io
from collections.abc import Callable, Mapping
from typing import Any

from toolkit.config.yaml.yaml_files import Replacing, write_yaml

_NULL = "tag:yaml.org,2002:null"


def edited(text: str, tree: Mapping[str, Any]) -> str:
    """The text changed so that it reads as the tree; only values that differ are written anew.

    Args:
        text: YAML whose top level is a mapping.
        tree: plain data with at least the keys of the text.
    """
    from ruamel.yaml import YAML  # noqa: PLC0415 # slow to import, and rarely needed
    from ruamel.yaml.representer import RoundTripRepresenter  # noqa: PLC0415
    from ruamel.yaml.util import load_yaml_guess_indent  # noqa: PLC0415

    class Representer(RoundTripRepresenter):
        """Writes null as a word."""

    Representer.add_representer(type(None), lambda writer, _: writer.represent_scalar(_NULL, "null"))
    _, indent, offset = load_yaml_guess_indent(text)
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.brace_single_entry_mapping_in_flow_sequence = True
    yaml.Representer = Representer
    yaml.width = 1 << 20
    yaml.indent(mapping=2, sequence=indent or 4, offset=2 if offset is None else offset)
    document = yaml.load(text)
    _update(document, tree, yaml.load)
    written = io.StringIO()
    yaml.dump(document, written)
    return written.getvalue()


def _update(node: Any, tree: Any, read: Callable[[str], Any]) -> None:
    """Change a mapping or list of the document in place; `read` reads YAML into parts of a document."""
    for key, value in tree.items() if isinstance(tree, Mapping) else enumerate(tree):
        is_new = isinstance(node, dict) and key not in node
        known = None if is_new else node[key]
        if _alike(known, value):
            _update(known, value, read)
        elif is_new or known != value:
            node[key] = read(write_yaml({"value": value}))["value"]


def _alike(known: Any, value: Any) -> bool:
    """Whether both are mappings, or lists of one length, whose entries can be compared one by one."""
    if isinstance(value, Mapping):
        return isinstance(known, dict) and not isinstance(value, Replacing)
    return isinstance(value, tuple) and isinstance(known, list) and len(value) == len(known)
