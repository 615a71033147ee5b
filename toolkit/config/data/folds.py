"""What config.yaml may say of folds: what is spread evenly, and what stays together."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from toolkit.config.yaml.fields import FilePath
from toolkit.config.yaml.named_calls import ClosedModel

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
