"""Errors that a user can fix, each with its exit code, and the phrases that their messages share."""

import difflib
from collections.abc import Collection, Iterable
from typing import ClassVar


class ToolkitError(Exception):
    """An error with one clear message: what is wrong and where, and what to type next.

    `message` says what is wrong, where, what came and what is allowed; `advice` says what to do about it.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice

    def __str__(self) -> str:
        """Message and advice, one below the other."""
        return f"{self.message}\n{self.advice}" if self.advice else self.message


class ConfigError(ToolkitError):
    """The configuration says something that is not allowed: unknown key, wrong type, impossible value."""

    exit_code = 3


class MissingFileError(ToolkitError):
    """A file, folder or experiment that was named does not exist or cannot be read."""

    exit_code = 4


class DataError(ToolkitError):
    """Images, masks or label files are broken or do not fit together."""

    exit_code = 5


class NothingToLearnError(ToolkitError):
    """The data are sound files but hold nothing to learn from: no images, no foreground, constant images only."""

    exit_code = 6


class FoldsError(ToolkitError):
    """folds.csv does not fit the data or the configuration."""

    exit_code = 7


class NetworkError(ToolkitError):
    """The network cannot be built as configured."""

    exit_code = 8


class WeightsError(ToolkitError):
    """Weights cannot be downloaded, read, or do not fit the network."""

    exit_code = 9


class NotReadyError(ToolkitError):
    """A command needs results that an earlier command has not made yet."""

    exit_code = 10


class ChangedError(ToolkitError):
    """Results on disk were made with another configuration or other data."""

    exit_code = 11


class LockedError(ToolkitError):
    """Another run is working on the same experiment."""

    exit_code = 12


class MembersError(ToolkitError):
    """The members of an ensemble do not fit together."""

    exit_code = 13


class SubmissionError(ToolkitError):
    """A submission, sample submission or solution is not what the competition takes."""

    exit_code = 14


class TrainingError(ToolkitError):
    """Training cannot go on: the loss is no longer a finite number."""

    exit_code = 15


class StorageError(ToolkitError):
    """The disk is full or refuses to be written, or a stored file is damaged."""

    exit_code = 16


class OutOfTimeError(ToolkitError):
    """The time that was given is used up; what is finished is kept, and the same command goes on."""

    exit_code = 17


class UploadError(ToolkitError):
    """A submission cannot be uploaded: no client, no credentials, or the competition's site refuses it."""

    exit_code = 18


def listing(names: Iterable[object], at_most: int = 5) -> str:
    """The first names, separated by commas, with an ellipsis where there are more: `a, b, c, …`."""
    words = [str(name) for name in names]
    return ", ".join([*words[:at_most], *(["…"] if len(words) > at_most else [])])


def listing_lines(entries: Iterable[object], at_most: int = 20) -> str:
    """The first entries, each in an indented line of its own, and a last line with the number of further ones."""
    lines = [f"  {entry}" for entry in entries]
    more = [f"  … and {len(lines) - at_most} more"] if len(lines) > at_most else []
    return "\n".join([*lines[:at_most], *more])


def nearest(word: str, allowed: Collection[str]) -> str | None:
    """The allowed word that is most like the one received, whatever their case; None if none is close."""
    by_lower = {name.lower(): name for name in reversed(list(allowed))}
    found = difflib.get_close_matches(word.lower(), by_lower, n=1)
    return by_lower[found[0]] if found else None


def not_valid(word: str, allowed: Collection[str]) -> str:
    """What to say of a word that is not allowed: the nearest valid one, and all that are."""
    near = nearest(word, allowed)
    guess = "" if near is None else f"did you mean {near!r}? "
    return f"{word!r} is not valid; {guess}choose from {', '.join(allowed)}"


def out_of_range(what: str, number: int, count: int) -> str:
    """What to say of a number outside 0 to `count` - 1: `there is no fold 7; choose from 0 to 4`."""
    choices = {0: "there are none", 1: "there is only 0"}.get(count, f"choose from 0 to {count - 1}")
    return f"there is no {what} {number}; {choices}"
