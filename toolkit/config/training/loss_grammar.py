"""The grammar of a loss written as text: `binary_crossentropy(label_smoothing=0.1) + 0..1*lovasz_loss`."""

import math
import re
from dataclasses import dataclass
from typing import NamedTuple

_NUMBER = r"(?:[0-9]+(?:\.(?!\.)[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"  # the first dot of `0..1` is not its own
_OUTSIDE = re.compile(rf"\s*(?:(?P<number>{_NUMBER})|(?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)|(?P<sign>\.\.|[+*(]))")
_INSIDE = re.compile(rf"\s*(?:(?P<number>-?{_NUMBER})|(?P<name>[A-Za-z_][\w.+-]*)|(?P<sign>[=,)]))")


class LossSyntaxError(ValueError):
    """A loss that cannot be read; the message shows the text and points at the character."""

    def __init__(self, text: str, position: int, problem: str) -> None:
        super().__init__(f"character {position + 1}: {problem}\n      {text}\n      {' ' * position}^")


@dataclass(frozen=True)
class Weight:
    """What a term counts: `start` always, or from `start` to `end` linearly over the epochs of a stage."""

    start: float
    end: float | None = None

    def at(self, progress: float) -> float:
        """The weight when this share (0–1) of the stage is done; a tensor gives a tensor."""
        return self.start if self.end is None else self.start + (self.end - self.start) * progress


@dataclass(frozen=True)
class WrittenArgument:
    """One `name=value`; `position` and `value_position` count characters from 0."""

    name: str
    value: str | float | bool
    position: int
    value_position: int


@dataclass(frozen=True)
class WrittenTerm:
    """One term as it stands in the text, its name and arguments not checked yet."""

    weight: Weight
    name: str
    position: int
    arguments: tuple[WrittenArgument, ...]


class _Token(NamedTuple):
    kind: str
    word: str
    position: int


def read_terms(text: str) -> tuple[WrittenTerm, ...]:
    """Read a sum of terms; spaces are welcome.

    A term is `NAME`, `NUMBER*NAME` or `NUMBER..NUMBER*NAME`, the latter for a weight that changes from one to the
    other; a name may have arguments, `NAME(ARGUMENT=VALUE, …)`, whose values are numbers, `true`, `false` or words.

    Raises:
        LossSyntaxError: it does not follow this grammar, or a weight is infinite or always 0.
    """
    return _Reader(text).terms()


class _Reader:
    """Reads one text from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._at = 0

    def terms(self) -> tuple[WrittenTerm, ...]:
        found = [self._term()]
        while self._next.kind != "end":
            self._expect("+", "'+' or the end")
            found.append(self._term())
        return tuple(found)

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _take(self) -> _Token:
        self._at += 1
        return self._tokens[self._at - 1]

    def _fail(self, position: int, problem: str) -> LossSyntaxError:
        return LossSyntaxError(self._text, position, problem)

    def _expect(self, sign: str, words: str) -> None:
        if self._next.word != sign:
            raise self._fail(self._next.position, f"expected {words}")
        self._take()

    def _term(self) -> WrittenTerm:
        weight = self._weight() if self._next.kind == "number" else Weight(1.0)
        name = self._next
        if name.kind != "name":
            raise self._fail(name.position, "expected the name of a loss")
        self._take()
        arguments = self._arguments() if self._next.word == "(" else ()
        return WrittenTerm(weight, name.word, name.position, arguments)

    def _weight(self) -> Weight:
        position = self._next.position
        start, end = self._finite(), None
        if self._next.word == "..":
            self._take()
            if self._next.kind != "number":
                raise self._fail(self._next.position, "expected a number after '..'")
            end = self._finite()
        if not start and not end:
            raise self._fail(position, "a term of weight 0 would never train")
        self._expect("*", "'*' after a number")
        return Weight(start, end)

    def _finite(self) -> float:
        token = self._take()
        if math.isinf(float(token.word)):
            raise self._fail(token.position, "a weight must be finite")
        return float(token.word)

    def _arguments(self) -> tuple[WrittenArgument, ...]:
        self._take()
        found: list[WrittenArgument] = []
        if self._next.word != ")":
            found.append(self._argument())
        while self._next.word != ")":
            self._expect(",", "',' or ')'")
            found.append(self._argument())
            if found[-1].name in [argument.name for argument in found[:-1]]:
                raise self._fail(found[-1].position, f"the argument {found[-1].name} stands twice")
        self._take()
        return tuple(found)

    def _argument(self) -> WrittenArgument:
        name = self._next
        if name.kind != "name" or not name.word.isidentifier():
            raise self._fail(name.position, "expected the name of an argument")
        self._take()
        self._expect("=", "'=' after the name of an argument")
        value = self._next
        if value.kind not in ("name", "number"):
            raise self._fail(value.position, "expected a number, true, false or a word")
        self._take()
        return WrittenArgument(name.word, _value(value), name.position, value.position)


def _value(token: _Token) -> str | float | bool:
    if token.kind == "number":
        return int(token.word) if token.word.removeprefix("-").isdigit() else float(token.word)
    return {"true": True, "false": False}.get(token.word, token.word)


def _tokens(text: str) -> list[_Token]:
    """Every token, closed by one of kind `end`; signs mean other things inside parentheses than outside."""
    found: list[_Token] = []
    position, end, pattern = 0, len(text.rstrip()), _OUTSIDE
    while position < end:
        match = pattern.match(text, position)
        if match is None:
            offset = position + len(text[position:]) - len(text[position:].lstrip())
            raise LossSyntaxError(text, offset, f"unexpected character {text[offset]!r}")
        kind = str(match.lastgroup)
        found.append(_Token(kind, match[kind], match.start(kind)))
        position = match.end()
        if match[kind] in ("(", ")"):
            pattern = _INSIDE if match[kind] == "(" else _OUTSIDE
    return [*found, _Token("end", "", end)]
