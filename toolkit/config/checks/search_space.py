"""The file that `tk search` reads: which keys of a configuration are tried, with ranges or choices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from toolkit.config.yaml.closed_model import ClosedModel
from toolkit.config.yaml.error_texts import describe_problems
from toolkit.config.yaml.key_differences import written
from toolkit.config.yaml.named_calls import Problem, ProblemsAtError
from toolkit.config.yaml.yaml_files import KeyPath, Position, nearest_position, read_document
from toolkit.errors import ConfigError, counted

Sampler = Literal["tpe", "random"]

_Bound = Annotated[int | float, Field(ge=-1e12, le=1e12, allow_inf_nan=False)]
_MOST_KEYS = 100
_MOST_CHOICES = 1000

_SCORED = "it changes what is scored or how the images are divided, so that scores of trials could not be compared"
_REFUSED: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "data",
            "classes",
            "activation",
            "metrics",
            "primary_metric",
            "benchmark_class",
            "folds",
            "folds_count",
            "stratified",
            "groups",
            "group_near_duplicates",
            "validationSplit",
            "testSplit",
            "testSplitSeed",
        ),
        _SCORED,
    ),
    "competition": _SCORED,
    "seed": "it draws the folds, and the best of several seeds is only the luckiest; num_seeds trains several",
    "extends": "it names a file, not a value",
}
"""Keys that are not searched, and why."""


class Axis(ClosedModel):
    """What is tried for one key: whole numbers, numbers, or choices."""

    low: _Bound | None = Field(None, description="The smallest number.")
    high: _Bound | None = Field(None, description="The largest number.")
    step: _Bound | None = Field(None, description="The distance of the numbers from each other, counted from `low`.")
    log: bool = Field(False, description="Whether each order of magnitude is tried equally often.")
    choices: tuple[Any, ...] | None = Field(None, description="Any values of the key, numbers and lists included.")

    @property
    def is_whole(self) -> bool:
        """Whether a range has whole numbers only: its ends, and its step if it has one, are written without a point."""
        ends = [bound for bound in (self.low, self.high, self.step) if bound is not None]
        return bool(ends) and all(isinstance(bound, int) for bound in ends)

    @property
    def texts(self) -> tuple[str, ...]:
        """The choices as they are written in YAML, on one line each; empty for a range."""
        return tuple(map(written, self.choices or ()))

    def ends(self) -> list[tuple[str, Any]]:
        """All choices or both ends of the range, each with the key below this one that names it."""
        if self.choices is not None:
            return [(f"choices.{place}", choice) for place, choice in enumerate(self.choices)]
        return [("low", self.low), ("high", self.high)]

    @model_validator(mode="after")
    def _check(self) -> "Axis":
        if self.choices is not None:
            if {"low", "high", "step", "log"} & self.model_fields_set:
                raise ValueError("expected either choices, or low and high; received both")
            if not 2 <= len(self.choices) <= _MOST_CHOICES:
                raise ValueError(f"expected 2 to {_MOST_CHOICES} choices, received {len(self.choices)}")
            twice = sorted({text for text in self.texts if self.texts.count(text) > 1})
            if twice:
                raise ValueError(f"the choice {twice[0]} occurs several times")
            return self
        if self.low is None or self.high is None:
            raise ValueError("expected low and high, or choices: for example {low: 1e-4, high: 1e-2, log: true}")
        self._check_range(self.low, self.high)
        return self

    def _check_range(self, low: float, high: float) -> None:
        if low >= high:
            raise ValueError(f"low must be below high, received {low:g} and {high:g}")
        if self.log and low <= 0:
            raise ValueError(f"log: true requires low above 0, received {low:g}")
        if self.log and self.step is not None:
            raise ValueError("log: true and step exclude each other; for chosen numbers use choices")
        if self.step is not None and not 0 < self.step <= high - low:
            raise ValueError(f"step must be above 0 and at most high - low = {high - low:g}, received {self.step:g}")


def _read_axes(value: Any) -> Any:
    """The axes by key; the problems of all of them are told at once."""
    if not isinstance(value, dict):
        return value  # reported by its type
    if not 0 < len(value) <= _MOST_KEYS:
        raise ValueError(f"expected 1 to {_MOST_KEYS} keys of the configuration, received {len(value)}")
    axes: dict[str, Axis] = {}
    problems: list[Problem] = []
    for key, entry in value.items():
        why = _REFUSED.get(key.split(".")[0])
        if why is not None:
            problems.append(((key,), ValueError(f"this key is not searched: {why}"), None))
            continue
        try:
            axes[key] = Axis.model_validate(entry)
        except ValidationError as error:
            problems.append(((key,), error, Axis))
    problems += _overlapping(list(value))
    if problems:
        raise ProblemsAtError(problems)
    return axes


def _overlapping(keys: Sequence[str]) -> list[Problem]:
    """Keys inside a value that another key replaces as a whole."""
    return [
        ((inner,), ValueError(f"the key {outer} of this search replaces this value; search one of the two"), None)
        for inner in keys
        for outer in keys
        if inner.startswith(f"{outer}.")
    ]


class Space(ClosedModel):
    """The content of the file."""

    keys: Annotated[dict[str, Axis], BeforeValidator(_read_axes)] = Field(
        description="What is tried, by the dotted name of the key, for example `stages.0.lr`."
    )
    sampler: Sampler = Field(
        "tpe", description="How values are chosen: `tpe` learns from the scores of earlier trials, `random` does not."
    )
    pruning: bool = Field(True, description="Whether a trial ends early when it falls behind the others.")


@dataclass(frozen=True)
class SearchSpace:
    """A space with the file that it was read from, and the position of each key there."""

    space: Space
    source: Path
    positions: Mapping[KeyPath, Position]

    def where(self, key: str, below: str = "") -> str:
        """`file:line: key`, for a message about what is tried for a key; `below` is a key there: `choices.1`."""
        parts = tuple(int(part) if part.isdecimal() else part for part in below.split(".") if part)
        position = nearest_position(self.positions, ("keys", key, *parts)) or self.source
        return f"{position}: {'.'.join(('keys', key, *map(str, parts)))}"


def read_space(path: Path) -> SearchSpace:
    """Read the file.

    Raises:
        MissingFileError: there is no such file.
        ConfigError: it is not valid; lists all problems with file, line and key.
    """
    document = read_document(path)
    try:
        space = Space.model_validate(document.tree)
    except (ValidationError, ProblemsAtError) as error:
        problems = describe_problems(error, Space, document, str(path))
        lines = "\n".join(f"  {problem.removesuffix(', extends')}" for problem in problems)  # no space extends another
        raise ConfigError(
            f"{counted(len(problems), 'problem')} in the search space {path}\n{lines}",
            "What such a file may say: docs/searching.md",
        ) from error
    return SearchSpace(space, path, document.positions)
