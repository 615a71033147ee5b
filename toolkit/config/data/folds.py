"""The keys about folds: what is distributed evenly, and what stays together."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from toolkit.config.yaml.closed_model import ClosedModel
from toolkit.config.yaml.fields import FilePath

COVERAGE, CLASSES = "coverage", "classes"
"""Values of `stratified` that are not columns of `data.metadata`."""


def _pattern(text: str) -> str:
    try:
        groups = re.compile(text).groups
    except re.error as error:
        raise ValueError(f"{text!r} is not a valid regular expression: {error}") from error
    if not groups:
        raise ValueError(f'{text!r} has no group: put the part that names it in parentheses, for example "(.+)_\\d+"')
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
    """Groups derived from the ids."""

    pattern: Annotated[str, AfterValidator(_pattern)] = Field(
        description="Regular expression that matches a whole id; its parenthesised parts are the group."
    )


Groups = Annotated[Column | GroupPattern, Field(union_mode="left_to_right")]


def spread(stratified: bool | str | tuple[str, ...]) -> tuple[str, ...]:
    """The words and columns of `stratified`, without duplicates."""
    if isinstance(stratified, bool):
        return (COVERAGE,) if stratified else ()
    return (stratified,) if isinstance(stratified, str) else tuple(dict.fromkeys(stratified))
