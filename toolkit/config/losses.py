"""The text form of a loss: weighted sums such as `binary_crossentropy+0.5*lovasz_loss`."""

import difflib
import math
import re
from dataclasses import dataclass

LOSS_NAMES = ("binary_crossentropy", "dice_loss", "jaccard_loss", "lovasz_loss")
"""Every term that a loss may name; toolkit.learning.losses holds what they compute."""

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)|(?P<name>[A-Za-z_]\w*)|(?P<sign>[+*]))"
)


@dataclass(frozen=True)
class LossTerm:
    """One weighted term of a loss."""

    weight: float
    name: str


class LossSyntaxError(ValueError):
    """A loss that cannot be read; the message shows the text and points at the character."""

    def __init__(self, text: str, position: int, problem: str) -> None:
        super().__init__(f"character {position + 1}: {problem}\n      {text}\n      {' ' * position}^")


def parse_loss(text: str) -> tuple[LossTerm, ...]:
    """Read a sum of terms, each `NAME` or `NUMBER*NAME`; spaces are welcome.

    Raises:
        LossSyntaxError: it does not follow this grammar, names an unknown loss, or a weight is 0 or infinite.
    """
    tokens = _tokens(text)
    terms: list[LossTerm] = []
    at = 0
    while True:
        weight = 1.0
        kind, word, position = tokens[at]
        if kind == "number":
            weight = float(word)
            if weight == 0:
                raise LossSyntaxError(text, position, "a term of weight 0 would never train")
            if math.isinf(weight):
                raise LossSyntaxError(text, position, "a weight must be finite")
            if tokens[at + 1][1] != "*":
                raise LossSyntaxError(text, tokens[at + 1][2], "expected '*' after a number")
            at += 2
            kind, word, position = tokens[at]
        if kind != "name":
            raise LossSyntaxError(text, position, "expected the name of a loss")
        if word not in LOSS_NAMES:
            raise LossSyntaxError(text, position, _unknown(word))
        terms.append(LossTerm(weight, word))
        kind, word, position = tokens[at + 1]
        if kind == "end":
            return tuple(terms)
        if word != "+":
            raise LossSyntaxError(text, position, "expected '+' or the end")
        at += 2


def _tokens(text: str) -> list[tuple[str, str, int]]:
    """Kind, word and position of each token, closed by two of kind `end` so that looking ahead is safe."""
    found: list[tuple[str, str, int]] = []
    position = 0
    end = len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            offset = position + len(text[position:]) - len(text[position:].lstrip())
            raise LossSyntaxError(text, offset, f"unexpected character {text[offset]!r}")
        kind = str(match.lastgroup)
        found.append((kind, match[kind], match.start(kind)))
        position = match.end()
    return [*found, ("end", "", end), ("end", "", end)]


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, LOSS_NAMES, n=1)
    guess = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown loss {name!r}; {guess}Allowed: {', '.join(LOSS_NAMES)}"
