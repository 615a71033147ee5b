"""What config.yaml may say of folds: what is spread evenly, and what stays together."""

import re
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from toolkit.config.yaml.fields import FilePath
from toolkit.config.yaml.named_calls import ClosedModel, Problem

if TYPE_CHECKING:  # a Config is checked while it is made
    from toolkit.config.models import Config

COVERAGE, CLASSES = "coverage", "classes"
"""Words for what is known of images without a table."""


def _pattern(text: str) -> str:
    try:
        groups = re.compile(text).groups
    except re.error as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from error
    if not groups:
        raise ValueError(f'{text!r} names no group: put its part in parentheses, such as "(.+)_\\d+"')
    return text


def _named(name: str) -> str:
    if name.strip().lower() in ("", "yes", "no", "on", "off", "none"):
        raise ValueError(
            f"expected true or false, coverage, classes, or the name of a column, received {name!r} (text)"
        )
    return name


def _no_number(value: Any) -> Any:
    if isinstance(value, int):
        raise ValueError(f"expected the path of a CSV file, received {value!r}; did you mean 'folds_count'?")
    return value


FoldsFile = Annotated[FilePath, BeforeValidator(_no_number)]
Column = Annotated[str, AfterValidator(_named)]
Columns = Annotated[tuple[Column, ...], Field(min_length=1)]
Stratified = Annotated[bool | Column | Columns, Field(union_mode="left_to_right")]


class GroupPattern(ClosedModel):
    """Groups by the id."""

    pattern: Annotated[str, AfterValidator(_pattern)] = Field(
        description="Regular expression that fits a whole id; its parts in parentheses name the group."
    )


Groups = Annotated[Column | GroupPattern, Field(union_mode="left_to_right")]


def spread(stratified: bool | str | tuple[str, ...]) -> tuple[str, ...]:
    """The words and columns of `stratified`, each once."""
    if isinstance(stratified, bool):
        return (COVERAGE,) if stratified else ()
    return (stratified,) if isinstance(stratified, str) else tuple(dict.fromkeys(stratified))


def _columns(config: "Config") -> list[tuple[str, str]]:
    """The columns of `data.metadata` that folds are made by, each with the key that names it."""
    columns = [("stratified", name) for name in spread(config.stratified) if name not in (COVERAGE, CLASSES)]
    return [*columns, ("groups", config.groups)] if isinstance(config.groups, str) else columns


def problems_of_folds(config: "Config") -> list[Problem]:
    """What does not fit together, each with the key that should change."""
    found: list[Problem] = []

    def tell(key: str, text: str) -> None:
        found.append(((key,), ValueError(text), None))

    if config.data.metadata is None and config.data.source is None:
        for key, column in _columns(config):
            tell(key, f"there is no data.metadata that could have the column {column!r}")
    if config.folds is not None:
        drawn = ("validationSplit", "testSplit", "testSplitSeed")
        given = [key for key in drawn if getattr(config, key) is not None]
        given += ["stratified"] * (config.stratified is not True)
        for key in given:
            tell(key, f"the file that folds names says who is held out: leave out {key}, or folds")
        return found
    if config.folds_count == 1 and config.validationSplit is None:
        tell("folds_count", "one fold needs validationSplit, the share of the images that it holds out, such as 0.2")
    if config.folds_count > 1 and config.validationSplit is not None:
        tell("validationSplit", f"goes with folds_count: 1; each of {config.folds_count} folds holds out its part")
    if config.testSplitSeed is not None and config.testSplit is None:
        tell("testSplitSeed", "there is no hold-out that it could be the seed of: add testSplit, such as 0.1")
    return found
