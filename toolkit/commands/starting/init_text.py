"""The text of config.yaml, with comments about what was recognised and why."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from toolkit.commands.starting.choices.choice import Choice
from toolkit.commands.starting.starting_point import HEADER
from toolkit.config.yaml.yaml_files import write_yaml

_WIDTH = 110


def config_text(
    root: str, data: Sequence[Choice], others: Sequence[Choice], rest: Mapping[str, Any], unused: Sequence[str]
) -> str:
    """The text of config.yaml.

    Args:
        root: the folder of the competition.
        data: the keys below `data`.
        others: other keys that depend on the folder.
        rest: keys that are the same for every folder.
        unused: files that were not understood or not used.
    """
    head = [
        HEADER.rstrip("\n"),
        *comment(f"Written by tk init from the files in {root}. Check it before you train."),
    ]
    if unused:
        head += ["# Not used:", *(line for text in unused for line in comment(text, "#   "))]
    lines = [*head, "data:"]
    for choice in data:
        lines += [f"  {line}" for line in _entry(choice)]
    for choice in others:
        lines += _entry(choice)
    return "\n".join(lines) + "\n" + write_yaml(rest)


def _entry(choice: Choice) -> list[str]:
    told = [
        line
        for text in (choice.why, choice.other and f"Alternative: {choice.other}.")
        if text
        for line in comment(text)
    ]
    key = choice.key[-1]
    if not choice.has_value:
        return told
    return [*told, *write_yaml({key: choice.value}).rstrip("\n").splitlines()]


def comment(text: str, start: str = "# ") -> list[str]:
    """The lines of a comment; each begins with `start`."""
    return textwrap.wrap(
        text, _WIDTH, initial_indent=start, subsequent_indent=start, break_on_hyphens=False, break_long_words=False
    )
