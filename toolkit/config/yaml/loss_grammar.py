"""The grammar of a loss: `binary_crossentropy(label_smoothing=0.1) + 0..1*lovasz_loss`.

Python's parser splits the text into an expression; nothing in it is evaluated.
"""

import ast
import re
import sys
from dataclasses import dataclass

_QUOTED_OR_RANGE = re.compile(r"""("[^"]*"|'[^']*')|\.\.""")
_WHITE = re.compile(r"\s")
_MOST = 1e9
_TERM = "expected terms joined by '+', each NAME, WEIGHT*NAME or FROM..TO*NAME, with arguments as NAME(argument=value)"


class LossSyntaxError(ValueError):
    """A loss that cannot be read; the message shows the text and points at the character."""

    def __init__(self, text: str, position: int, problem: str) -> None:
        shown = _WHITE.sub(" ", text)
        super().__init__(f"character {position + 1}: {problem}\n      {shown}\n      {' ' * position}^")


@dataclass(frozen=True)
class Weight:
    """The weight of a term: constant, or linear from `start` to `end` over the epochs of a stage."""

    start: float
    end: float | None = None

    def at(self, progress: float) -> float:
        """The weight after this share (0–1) of the stage; a tensor gives a tensor."""
        return self.start if self.end is None else self.start + (self.end - self.start) * progress


@dataclass(frozen=True)
class WrittenArgument:
    """One `name=value`; `position` and `value_position` are offsets in the text, from 0."""

    name: str
    value: str | float | bool
    position: int
    value_position: int


@dataclass(frozen=True)
class WrittenTerm:
    """One term as written; its name and arguments are not checked yet."""

    weight: Weight
    name: str
    position: int
    arguments: tuple[WrittenArgument, ...]


def read_terms(text: str) -> tuple[WrittenTerm, ...]:
    """Read a sum of terms.

    A term is `NAME`, `WEIGHT*NAME`, or `FROM..TO*NAME` for a weight that changes linearly during the stage. A name may
    be a dotted path and may have arguments, `NAME(argument=value, …)`. Their values are numbers, `true`, `false`,
    words, or texts in quotes. Spaces and line breaks are ignored.

    Raises:
        LossSyntaxError: the text does not follow this grammar, or a weight is negative, infinite or always 0.
    """
    return tuple(_Reader(_WHITE.sub(" ", text)).terms())


class _Reader:
    """Turns the expression of one line of text into terms."""

    def __init__(self, text: str) -> None:
        self._text = text
        # A range is no Python: `..` becomes an operator of the same length, which binds as tightly as `*`.
        self._source = _QUOTED_OR_RANGE.sub(lambda match: match[1] or "@ ", text)
        self._indent = len(text) - len(text.lstrip())

    def terms(self) -> list[WrittenTerm]:
        source = self._source.strip()  # Python refuses an indented expression
        try:
            node = ast.parse(source, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            offset = getattr(error, "offset", None) or len(source) + 1
            raise self._fail(self._indent + offset - 1, _TERM) from error
        found = []
        while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            found.append(node.right)
            node = node.left
        return [self._term(one) for one in (node, *reversed(found))]

    def _position(self, node: ast.expr | ast.keyword, *, end: bool = False) -> int:
        """The offset of a node in characters; Python counts bytes."""
        column = (node.end_col_offset or 0) if end else node.col_offset
        return len(self._source.encode()[: self._indent + column].decode())

    def _fail(self, at: int | ast.expr | ast.keyword, problem: str) -> LossSyntaxError:
        return LossSyntaxError(self._text, at if isinstance(at, int) else self._position(at), problem)

    def _term(self, node: ast.expr) -> WrittenTerm:
        weight = Weight(1.0)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            weight, node = self._weight(node.left), node.right
        if isinstance(node, ast.Call):
            return WrittenTerm(weight, self._name(node.func), self._position(node), self._arguments(node))
        return WrittenTerm(weight, self._name(node), self._position(node), ())

    def _name(self, node: ast.expr) -> str:
        first = node
        while isinstance(first, ast.Attribute):
            first = first.value
        if not isinstance(first, ast.Name):
            raise self._fail(node.right if isinstance(node, ast.BinOp) else node, _TERM)
        return ast.unparse(node)

    def _weight(self, node: ast.expr) -> Weight:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult) and self._is_range(node):
            weight = Weight(self._finite(node.left), self._finite(node.right))
        else:
            weight = Weight(self._finite(node))
        if not weight.start and not weight.end:
            raise self._fail(node, "a term of weight 0 has no effect; remove it")
        return weight

    def _is_range(self, node: ast.BinOp) -> bool:
        return ".." in self._text[self._position(node.left, end=True) : self._position(node.right)]

    def _finite(self, node: ast.expr) -> float:
        number = _number(node)
        if number is None:
            raise self._fail(node, "expected a number, or a range of numbers FROM..TO, before '*'")
        if not 0 <= number <= sys.float_info.max:
            raise self._fail(node, "a weight must be a finite number of at least 0")
        if number > _MOST:
            raise self._fail(node, f"a weight must be at most {_MOST:.0e}")
        return float(number)

    def _arguments(self, call: ast.Call) -> tuple[WrittenArgument, ...]:
        if call.args:
            raise self._fail(call.args[0], "arguments need their names: NAME(argument=value)")
        found: dict[str, WrittenArgument] = {}
        for keyword in call.keywords:
            if keyword.arg is None:
                raise self._fail(keyword, "arguments need their names: NAME(argument=value)")
            if keyword.arg in found:
                raise self._fail(keyword, f"the argument {keyword.arg} is given twice")
            position, value_position = self._position(keyword), self._position(keyword.value)
            found[keyword.arg] = WrittenArgument(keyword.arg, self._value(keyword.value), position, value_position)
        return tuple(found.values())

    def _value(self, node: ast.expr) -> str | float | bool:
        if isinstance(node, ast.Name):
            return {"true": True, "false": False}.get(node.id, node.id)
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value
        number = _number(node)
        if number is None:
            raise self._fail(node, "expected a number, true, false, a word, or a text in quotes")
        return number


def _number(node: ast.expr) -> float | None:
    """A number with its sign, whole numbers as `int`; None for anything else."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        number = _number(node.operand)
        return None if number is None else -number if isinstance(node.op, ast.USub) else number
    value = node.value if isinstance(node, ast.Constant) else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
